"""Checks the input of Prometheus and Grafana: every metric that the dashboard queries exists, with the labels that the query
uses."""
import json
import os
import re
import subprocess

from kit import rpc
from kit.marks import once
from kit.stack import PROGRAMS, Stack, free_port, program, wait_for
from kit.web import Client
from kit.world import CONFIRMED, book, booking_request, register, wait_history

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALL = PROGRAMS + ("gateway",)
# deploy/prometheus/prometheus.yml, Prometheus and its histograms add these labels to each sample.
SCRAPED_LABELS = {"service", "job", "instance"}
KEYWORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset"}
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


class Query:
    """The metrics, with their label matchers, and the grouping labels that a PromQL expression uses."""

    def __init__(self, expression):
        self.expression = expression
        bare = re.sub(r"\[[^]]*\]", "", expression)
        grouped = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", bare)
        self.labels = {label.strip() for group in grouped for label in group.split(",")}
        bare = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)", "", bare)
        self.selectors = []
        for name, matchers in re.findall(r"\b([a-zA-Z_:][\w:]*)\b(?:\{([^}]*)\})?(?!\s*\()", bare):
            if name not in KEYWORDS:
                self.selectors.append((name, dict(re.findall(r'(\w+)="([^"]*)"', matchers))))
        assert self.selectors, expression


def panels():
    """Returns the panels that have queries. Rows have none."""
    return [panel for panel in json.loads(read("deploy", "grafana", "screening.json"))["panels"] if panel["type"] != "row"]


def queries():
    return [Query(target["expr"]) for panel in panels() for target in panel["targets"]]


def scrape(stack, name):
    """Returns (metric, labels) of each sample, including the labels that Prometheus adds."""
    client = Client(stack.services[name].flags["ops-listen"])
    try:
        answer = client.get("/metrics")
        assert answer.code == 200, answer
        samples = []
        for line in answer.body.decode().splitlines():
            if not line.startswith("#"):
                metric, labels, _ = SAMPLE.match(line).groups()
                samples.append((metric, {"service": name + "-svc", **dict(re.findall(r'(\w+)="([^"]*)"', labels or ""))}))
        return samples
    finally:
        client.close()


def missing(samples):
    """Returns a text for everything that the dashboard queries but no service provides."""
    found = []
    for query in queries():
        for name, matchers in query.selectors:
            matching = [labels for metric, labels in samples if metric == name and matchers.items() <= labels.items()]
            if not matching:
                found.append("%s%s of: %s" % (name, matchers or "", query.expression))
            elif not any(query.labels <= labels.keys() | SCRAPED_LABELS for labels in matching):
                found.append("labels %s of: %s" % (sorted(query.labels), query.expression))
    return found


@once
def test_every_metric_of_the_dashboard_is_in_a_scrape(driver):
    flags = {name: {"ops-listen": "127.0.0.1:%d" % free_port()} for name in PROGRAMS}
    with Stack(driver, gateway=True, flags=flags) as stack:
        hospital_id = register(stack, capacity=1)
        booking = book(stack, hospital_id)
        assert stack.booking.CreateBooking(**booking_request(hospital_id)).reason == "SOLD_OUT"
        stack.gateway.get("/hospitals/" + hospital_id)
        wait_history(stack, booking.booking_id, CONFIRMED)
        assert stack.booking.CancelBooking(booking_id=booking.booking_id).code == rpc.OK
        last = []

        def all_there():
            last[:] = missing([sample for name in ALL for sample in scrape(stack, name)])
            return not last
        try:
            wait_for("all metrics of the dashboard", all_there)
        except AssertionError as error:
            raise AssertionError("%s: missing %s" % (error, "; ".join(last))) from None


@once
def test_the_dashboard_shows_what_is_worth_an_alarm(driver):
    del driver
    (alarms,) = re.findall(r"^Alert on the following: (.*)$", read("docs", "operations.md"), re.M)
    shown = {name for query in queries() for name, _ in query.selectors}
    wanted = set(re.findall(r"`([a-z_]+)`", alarms))
    assert len(wanted) >= 8 and wanted <= shown, wanted - shown
    titles = [panel["title"] for panel in panels()]
    assert len(set(titles)) == len(titles) and all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels())


def ops_port(name):
    """Returns the default port of the service's ops endpoint."""
    text = subprocess.run([program(name), "--help"], capture_output=True, text=True, check=True).stdout
    return re.search(r"--ops-listen TEXT +\S+ +(\S+)", text)[1]


@once
def test_prometheus_reads_exactly_the_ops_ports(driver):
    del driver
    targets = re.findall(r'targets: \["([^"]*)"\]\n +labels: \{service: ([\w-]+)\}', read("deploy", "prometheus", "prometheus.yml"))
    assert {name: target for target, name in targets} == {name + "-svc": ops_port(name + "-svc") for name in ALL}
    assert len(targets) == len(ALL)
