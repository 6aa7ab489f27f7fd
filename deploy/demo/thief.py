"""Shows that a thief with the key of a service gets nothing. It needs the kit's RPC client and the program openssl."""

import json
import os
import stat
import time

import accounts
from kit import jwt, rpc
from looking import Look
from places import DEMO, ROOT
from strangers import NOT_PERMITTED, a_place, another_hospital

CODES = {rpc.OK: "OK", 7: "PERMISSION_DENIED", 16: "UNAUTHENTICATED"}
MINUTES_5_S = 300


def _outcome(reply):
    return (CODES.get(reply.code, "code %d" % reply.code) + " " + reply.reason).strip()


def _call(address, token, name, **fields):
    client = rpc.Client(address, token=token)
    try:
        return _outcome(client.call(name, **fields))
    finally:
        client.close()


def _private_socket(stack):
    return stack.socket("hospital", "rpc").replace("ipc://", "ipc://%s/" % DEMO.relative_to(ROOT))


def _stolen_token():
    with open(accounts.PKI / "booking-svc/token.key.json", encoding="ascii") as file:
        key = json.load(file)
    now = int(time.time())
    return jwt.signed({"iss": "booking-svc", "sub": "booking-svc", "aud": "hospital-svc", "iat": now, "exp": now + MINUTES_5_S}, key)


def play(stack, report, clinic):
    """A thief signs a token with booking-svc's key, and cannot reach the folder of the sockets."""
    token, look = _stolen_token(), Look(stack.screenctl)
    other, date = another_hospital(stack.screenctl, clinic)
    before = look.remaining(other, date)
    over_http = stack.web.with_token(None).ask("POST", "/hospitals", {"name": "n", "address": "a"}, Authorization="Bearer " + token)
    report.add(
        "a stolen service token is no use", "Reserve with a token that was signed with booking-svc's key",
        {"at the port": NOT_PERMITTED, "through the gateway": 403, "places left": before, "at the private socket": "OK",
         "whose folder has the mode": "700"},
        {"at the port": _call(stack.rpc["hospital"], token, "Reserve", **a_place(other, date)),
         "through the gateway": over_http.code, "places left": look.remaining(other, date),
         "at the private socket": _call(_private_socket(stack), token, "Stats"),
         "whose folder has the mode": "%o" % stat.S_IMODE(os.stat(DEMO / "private").st_mode)})
