"""Checks that an omitted capacity is refused, because 0 would close the day. A caller of an earlier version, which does not send a
0, may still omit it."""
import json
import subprocess

from kit import rpc, web
from kit.marks import once
from kit.rest import RestStack, check_problem, id_of
from kit.rpc import hospital_pb2
from kit.stack import DEADLINE_S, Stack, program
from kit.world import check_refused, day, register

SET_CAPACITY = "screening.v1.HospitalService/SetCapacity"
REGISTER = "screening.v1.HospitalService/RegisterHospital"


def capacity_of(stack, hospital_id):
    reply = stack.hospital.GetAvailability(hospital_id=hospital_id, from_date=day(1), to_date=day(1))
    assert reply.message.days[0].HasField("capacity"), reply
    return reply.message.days[0].capacity


def earlier(stack, method, message):
    """Sends the message like a caller of an earlier version: zeros are omitted, and explicit_presence is not set."""
    return stack.hospital.raw(rpc.pack(method, message.SerializeToString(), explicit_presence=False))


def test_presence_an_omitted_capacity_differs_from_0(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, capacity=5)
        place = {"hospital_id": hospital_id, "date": day(1)}
        check_refused(stack.hospital.SetCapacity(**place), rpc.INVALID_ARGUMENT, field="capacity: must be given")
        check_refused(stack.hospital.SetCapacity(expected_version=1, **place), rpc.INVALID_ARGUMENT, field="capacity: ")
        assert capacity_of(stack, hospital_id) == 5
        assert stack.hospital.SetCapacity(capacity=0, **place).code == rpc.OK
        assert capacity_of(stack, hospital_id) == 0
        days = [{"date": day(1), "capacity": 3}, {"date": day(2)}]
        other = {"hospital_id": rpc.new_id(), "name": "n"}
        check_refused(stack.hospital.RegisterHospital(days=days, **other), rpc.INVALID_ARGUMENT,
                      field="days[1].capacity: must be given")
        assert stack.hospital.RegisterHospital(days=[days[0], {"date": day(2), "capacity": 0}], **other).code == rpc.OK
        assert stack.value("hospital", "SELECT COUNT(*) FROM hospital") == 2


def test_presence_is_not_required_of_callers_of_earlier_versions(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        hospital_id = register(stack, capacity=5)
        assert earlier(stack, SET_CAPACITY, hospital_pb2.SetCapacityRequest(hospital_id=hospital_id, date=day(1))).code == rpc.OK
        assert capacity_of(stack, hospital_id) == 0
        request = {"hospital_id": rpc.new_id(), "name": "n"}
        reply = earlier(stack, REGISTER, hospital_pb2.RegisterHospitalRequest(days=[{"date": day(1)}], **request))
        assert reply.code == rpc.OK, reply
        assert capacity_of(stack, request["hospital_id"]) == 0
        # It equals a registration with an explicit 0.
        assert stack.hospital.RegisterHospital(days=[{"date": day(1), "capacity": 0}], **request).code == rpc.OK


@once
def test_presence_is_required_of_http(driver):
    with RestStack(driver, without=("booking", "history")) as stack:
        rest, path = stack.rest, stack.hospital_path(capacity=5)
        hospital_id, put = id_of(path), "%s/days/%s" % (path, day(1))
        for body in ({}, {"capacity": None}, {"expectedVersion": "1"}):
            check_problem(rest.put(put, body), 422, "INVALID_ARGUMENT", "capacity: must be given")
        check_problem(rest.post("/hospitals", {"name": "n", "days": [{"date": day(1)}]}), 422, "INVALID_ARGUMENT",
                      "days[0].capacity: must be given")
        connect = web.Client(stack.gateway_svc.http)
        place = {"hospitalId": hospital_id, "date": day(1)}
        for body in (place, {**place, "capacity": None}, {**place, "capcity": 150}):
            answer = connect.post("/" + SET_CAPACITY, body)
            assert answer.code == 400 and answer.json["message"] == "capacity: must be given", answer
        packed = hospital_pb2.SetCapacityRequest(hospital_id=hospital_id, date=day(1))
        answer = connect.post("/" + SET_CAPACITY, packed.SerializeToString(), headers={"Content-Type": "application/proto"})
        assert answer.code == 400 and answer.json["message"] == "capacity: must be given", answer
        assert capacity_of(stack, hospital_id) == 5
        packed.capacity = 0
        answer = connect.post("/" + SET_CAPACITY, packed.SerializeToString(), headers={"Content-Type": "application/proto"})
        assert answer.code == 200 and capacity_of(stack, hospital_id) == 0, answer
        assert connect.post("/" + SET_CAPACITY, {**place, "capacity": 6}).json["capacity"] == 6
        assert connect.post("/" + SET_CAPACITY, {**place, "capacity": 0}).json["capacity"] == 0
        assert rest.put(put, {"capacity": 7}).json["capacity"] == 7
        assert rest.put(put, {"capacity": 0}).json["capacity"] == 0
        connect.close()


@once
def test_presence_is_sent_by_screenctl(driver):
    with Stack(driver, without=("booking", "history")) as stack:
        def screenctl(*words):
            return subprocess.run([program("screenctl"), "--json", "--timeout", "50000", "--hospital", stack.hospital_svc.rpc, *words],
                                  capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False, stdin=subprocess.DEVNULL)
        hospital_id = register(stack, capacity=5)
        done = screenctl("hospital", "set-capacity", hospital_id, day(1), "0")
        assert done.returncode == 0 and json.loads(done.stdout)["capacity"] == 0, done
        done = screenctl("hospital", "register", "--name", "n", "--day", "+1=0")
        assert done.returncode == 0 and json.loads(done.stdout)["days"][0]["capacity"] == 0, done
        done = screenctl("call", "SetCapacity", json.dumps({"hospitalId": hospital_id, "date": day(1)}))
        assert done.returncode == 1 and "capacity: must be given" in done.stderr, done
