"""Runs Prometheus's own checks on the pages of all four services, the configuration and the alerts."""
import os
import re
import time

import yaml

from kit import promtool, rpc
from kit.marks import once
from kit.stack import PROGRAMS, Stack, free_port, wait_for
from kit.web import Client
from kit.world import book, booking_request, register

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = os.path.join(ROOT, "deploy/prometheus/rules.yml")
ALL = PROGRAMS + ("gateway",)
GIVEN_BY_PROMETHEUS = {"up"}


def stack_with_pages(driver):
    flags = {name: {"ops-listen": "127.0.0.1:%d" % free_port()} for name in PROGRAMS}
    return Stack(driver, gateway=True, flags=flags)


def page(stack, name):
    client = Client(stack.services[name].flags["ops-listen"])
    try:
        answer = client.get("/metrics")
        assert answer.code == 200, answer
        return answer.body.decode()
    finally:
        client.close()


def value(text, sample):
    (found,) = re.findall(r"^%s (\S+)$" % re.escape(sample), text, re.M)
    return float(found)


def test_metrics_pass_promtool(driver):
    with stack_with_pages(driver) as stack:
        hospital_id = register(stack, capacity=1)
        book(stack, hospital_id)
        assert stack.booking.CreateBooking(**booking_request(hospital_id)).reason == "SOLD_OUT"
        assert stack.gateway.get("/hospitals/" + hospital_id).code == 200
        for name in ALL:
            said = promtool.run("check", "metrics", text=page(stack, name))
            assert said == "", (name, said)


def test_metrics_of_the_process_and_its_database(driver):
    with stack_with_pages(driver) as stack:
        book(stack, register(stack))
        for name in ALL:
            text = page(stack, name)
            assert value(text, 'build_info{program="%s-svc",version="0.1.0"}' % name) == 1
            assert abs(value(text, "process_start_time_seconds") - time.time()) < 3600
            assert value(text, "process_cpu_seconds_total") > 0
            assert value(text, "process_resident_memory_bytes") > 1 << 20
            assert 3 < value(text, "process_open_fds") <= value(text, "process_max_fds")
            if name != "gateway":
                wait_for(name + "-svc knows the size of its database", lambda name=name: re.search(
                    r"^database_size_bytes [1-9]\d{3,}$", page(stack, name), re.M))
        lag = [stat for stat in stack.hospital.Stats().message.stats if stat.name.startswith("events_lag_seconds")]
        assert lag and all(stat.unit == 0.001 for stat in lag), lag


@once
def test_http_metrics_show_route_method_and_code(driver):
    with stack_with_pages(driver) as stack:
        hospital_id = register(stack)
        for _ in range(3):
            assert stack.gateway.get("/hospitals/" + hospital_id).code == 200
        assert stack.gateway.get("/hospitals/" + rpc.new_id()).code == 404
        assert stack.gateway.get("/nothing/here").code == 404
        assert stack.gateway.get("/openapi.json").code == 200
        text = page(stack, "gateway")
        route = 'method="GET",route="/hospitals/{hospitalId}"'
        assert value(text, 'http_requests_total{%s,code="200"}' % route) == 3
        assert value(text, 'http_requests_total{%s,code="404"}' % route) == 1
        assert value(text, 'http_requests_total{method="GET",route="none",code="404"}') == 1
        assert value(text, 'http_requests_total{method="GET",route="/openapi.json",code="200"}') == 1
        assert value(text, "http_request_seconds_count{%s}" % route) == 4
        assert hospital_id not in text


@once
def test_alarms_pass_their_tests_and_ask_for_metrics_that_exist(driver):
    promtool.run("check", "rules", RULES)
    promtool.run("test", "rules", os.path.join(ROOT, "tests/prometheus/rules_test.yml"))
    for name in ("prometheus.yml", "containers.yml"):
        promtool.run("check", "config", os.path.join(ROOT, "deploy/prometheus", name))
    with open(RULES, encoding="utf-8") as file:
        expressions = [rule["expr"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    asked = {name for expression in expressions for name in re.findall(r"\b([a-z]+(?:_[a-z]+)+)\b(?!\()", expression)} | {"up"}
    with open(os.path.join(ROOT, "docs/operations.md"), encoding="utf-8") as file:
        (worth,) = re.findall(r"^Alert on the following: (.*)$", file.read(), re.M)
    assert set(re.findall(r"`([a-z_]+)`", worth)) <= asked
    with stack_with_pages(driver) as stack:
        hospital_id = register(stack)
        book(stack, hospital_id)
        assert stack.gateway.get("/hospitals/" + hospital_id).code == 200

        def unknown():
            pages = "".join(page(stack, name) for name in ALL)
            return {name for name in asked - GIVEN_BY_PROMETHEUS if not re.search(r"^%s\b" % name, pages, re.M)}
        wait_for("every metric of the alarms", lambda: not unknown())
