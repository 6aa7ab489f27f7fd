"""Attacks with tokens on the real services: what the verification must refuse, and how issuers and keys change while a service runs."""
import hashlib
import hmac
import json
import os
import signal
import time

from kit import rpc, sse, web
from kit.deadline import DEADLINE_S
from kit.flood import Flood
from kit.http2 import Connection
from kit.marks import once
from kit.screenctl import screenctl
from kit.stack import Stack, wait_for
from kit.tokens import AUDIENCE, ISSUER, Key, claims, encode
from kit.world import book, day, register

UNAUTHENTICATED = 16
MB = 1024 * 1024
MINUTE_S, HOUR_S = 60, 3600


class SecureStack(Stack):
    """A stack that checks tokens, with a client of hospital-svc that sends any `authorization`."""

    def __init__(self, driver, **more):
        super().__init__(driver, without=("history",), **more)

    def __enter__(self):
        super().__enter__()
        self.caller = rpc.Client(self.address("hospital.clients"), token=None)
        self.clients.append(self.caller)
        return self

    def ask(self, token, scheme="Bearer "):
        """Calls a method that needs a token. Returns (code, reason)."""
        reply = self.caller.ListHospitals(metadata={"authorization": scheme + token})
        return reply.code, reply.reason

    def accepts(self, token):
        return self.ask(token) == (rpc.OK, "")


def refused(stack, what, token, reason="TOKEN_INVALID", **more):
    assert stack.ask(token, **more) == (UNAUTHENTICATED, reason), (what, stack.ask(token, **more))


def with_parts(token, header=None, payload=None, signature=None):
    """Returns the token with some of its parts replaced."""
    parts = token.split(".")
    for i, part in enumerate((header, payload, signature)):
        if part is not None:
            parts[i] = part
    return ".".join(parts)


@once
def test_tokens_that_nobody_signed_are_refused(driver):
    with SecureStack(driver) as stack:
        key, good = stack.keyring.issuer, claims("admin", "mallory")
        token = key.token(good)
        assert stack.accepts(token)
        header, payload, signature = token.split(".")
        none = encode({"alg": "none", "typ": "JWT", "kid": key.kid})
        refused(stack, "alg none", none + "." + payload + ".")
        refused(stack, "alg none with a signature", none + "." + payload + "." + signature)
        refused(stack, "alg None", encode({"alg": "None", "typ": "JWT", "kid": key.kid}) + "." + payload + ".")
        for secret in (key.public_pem(), json.dumps(key.public()).encode(), key.public()["x"].encode()):
            forged = encode({"alg": "HS256", "typ": "JWT", "kid": key.kid}) + "." + payload
            forged += "." + encode(hmac.new(secret, forged.encode(), hashlib.sha256).digest())
            refused(stack, "HS256 with the public key", forged)
        refused(stack, "another payload", with_parts(token, payload=encode({**good, "sub": "somebody"})))
        refused(stack, "no signature", with_parts(token, signature=""))
        refused(stack, "half a signature", with_parts(token, signature=signature[:43]))
        refused(stack, "zeros", with_parts(token, signature=encode(bytes(64))))
        refused(stack, "padding", token + "==")
        refused(stack, "a fourth part", token + ".x")
        refused(stack, "two parts", header + "." + payload)
        refused(stack, "no token", "")
        refused(stack, "another scheme", token, scheme="Basic ")
        refused(stack, "a token of 1 MB", key.token({**good, "more": "x" * (MB // 2)}))
        assert stack.accepts(token)


@once
def test_tokens_signed_by_another_key_are_refused(driver):
    with SecureStack(driver) as stack:
        key, own, good = stack.keyring.issuer, Key(), claims("admin", "mallory")
        other_kind = Key("RS256")
        refused(stack, "an unknown key", own.token(good))
        refused(stack, "the id of a known key", own.token(good, kid=key.kid))
        refused(stack, "no key id", key.token(good, kid=None))
        refused(stack, "an unknown key id", key.token(good, kid="other"))
        refused(stack, "the algorithm of another kind of key", other_kind.token(good, kid=key.kid))
        refused(stack, "another algorithm in the header", key.token(good, alg="RS256"))
        refused(stack, "ES384 in the header", key.token(good, alg="ES384"))
        refused(stack, "an embedded key", own.token(good, jwk=own.public(), kid=key.kid))
        refused(stack, "a link to keys", own.token(good, jku="https://evil.test/keys"))
        refused(stack, "an embedded certificate", own.token(good, x5c=["AAAA"]))
        refused(stack, "a link to a certificate", own.token(good, x5u="https://evil.test/cert"))
        refused(stack, "a critical extension", key.token(good, crit=["exp"]))
        refused(stack, "an unencoded payload", key.token(good, b64=False))
        refused(stack, "a token for another use", key.token(good, typ="dpop+jwt"))
        service = stack.keyring.services["booking-svc"]
        refused(stack, "a service's key for a person", service.token(good))
        refused(stack, "a service's key under the id of the issuer", service.token(good, kid=key.kid))
        refused(stack, "a service's claims with the issuer's key", key.token(claims(None, "booking-svc", issuer="booking-svc",
                                                                                    audience="hospital-svc")))
        assert stack.accepts(key.token(good, typ="at+jwt"))


@once
def test_tokens_with_wrong_claims_are_refused(driver):
    with SecureStack(driver) as stack:
        key, now = stack.keyring.issuer, int(time.time())

        def token(**more):
            return key.token(claims(more.pop("role", "admin"), "somebody", **more))
        refused(stack, "expired", token(exp=now - 2 * MINUTE_S), "TOKEN_EXPIRED")
        refused(stack, "no expiry", token(exp=None))
        refused(stack, "not valid yet", token(nbf=now + HOUR_S))
        refused(stack, "issued tomorrow", token(iat=now + 24 * HOUR_S))
        refused(stack, "another audience", token(audience="other"))
        refused(stack, "no audience", token(audience=None))
        refused(stack, "an unknown issuer", token(issuer="https://evil.test"))
        refused(stack, "no issuer", token(issuer=None))
        refused(stack, "no subject", token(sub=None))
        refused(stack, "a subject that is too long", token(sub="x" * 65))
        refused(stack, "an expiry that is no number", token(exp="tomorrow"))
        assert stack.accepts(token(exp=now - MINUTE_S // 2)), "60 s of skew"
        assert stack.accepts(token(nbf=now + MINUTE_S // 2))
        assert stack.accepts(token(audience=["other", "screening"]))
        assert stack.ask(token(role="superuser")) == (7, "NOT_PERMITTED")
        assert stack.ask(token(role=None)) == (7, "NOT_PERMITTED")


@once
def test_tokens_twice_in_a_request_are_refused(driver):
    with SecureStack(driver, gateway=True) as stack:
        token = "Bearer " + stack.keyring.token("admin")
        other = "Bearer " + stack.keyring.token("customer", "kim")
        with Connection(stack.gateway_svc.http2) as connection:
            for pair, code in (((token, other), 400), ((token, token), 200)):
                exchange = connection.ask("GET", "/hospitals", headers=[("authorization", value) for value in pair])
                assert exchange.code == code, exchange.code
        envelope = rpc.envelope_pb2.Request(method="screening.v1.HospitalService/ListHospitals")
        for value in (token, token):
            envelope.metadata.add(key="authorization", value=value)
        reply = stack.caller.raw(envelope.SerializeToString())
        assert (reply.code, reply.reason) == (UNAUTHENTICATED, "TOKEN_INVALID"), reply
        client = web.Client(stack.gateway_svc.http)
        assert client.get("/hospitals", query={"access_token": token}).code == 400
        assert client.get("/hospitals", headers={"Authorization": "Bearer " + "x" * 9000}).code in (400, 401)
        client.close()


@once
def test_an_idempotency_key_belongs_to_its_caller(driver):
    """The same key of two customers, and of two people with the same `sub` at two issuers, makes two bookings; of one, a single one."""
    with SecureStack(driver, gateway=True) as stack:
        other, ring = Key(), stack.keyring
        ring.write("other.jwks.json", {"keys": [other.public()]})
        ring.write_issuers({"issuer": "https://other.test", "audience": "screening", "keys": "other.jwks.json",
                            "roles": {"always": "customer"}})
        hospital, client = register(stack, capacity=50), web.Client(stack.gateway_svc.http)

        def order(token, key="order-1"):
            headers = {"Authorization": "Bearer " + token, "Idempotency-Key": key}
            return client.post("/bookings", {"customerName": "n", "hospitalId": hospital, "date": day(1)}, headers=headers)
        theirs = other.token(claims(None, "kim", issuer="https://other.test"))
        wait_for("the other issuer is known", lambda: order(theirs, "probe").code == 201)
        tokens = [ring.token("customer", "kim"), ring.token("customer", "lee"), theirs]
        made = [order(token) for token in tokens]
        assert [one.code for one in made] == [201] * 3, made
        assert len({one.json["bookingId"] for one in made}) == 3, made
        assert [one.json["customerId"] for one in made] == ["kim", "lee", "kim"], made
        tokens[:2] = [ring.token("customer", name, jti="another") for name in ("kim", "lee")]
        assert [order(token).json["bookingId"] for token in tokens] == [one.json["bookingId"] for one in made]
        assert order(tokens[1], made[0].json["bookingId"]).code == 409  # a UUID is the id itself
        refused_answer = order(Key().token(claims("customer", "kim")))
        assert (refused_answer.code, refused_answer.json["reason"]) == (401, "TOKEN_INVALID"), refused_answer
        client.close()


@once
def test_an_altered_envelope_gets_nothing_more(driver):
    """An envelope is not signed. Whatever is changed in one that asks for somebody else's booking, the answer is no booking."""
    with SecureStack(driver) as stack:
        booking = book(stack, register(stack), customer_id="kim").booking_id
        method, kim, lee = "screening.v1.BookingService/GetBooking", stack.keyring.token("customer", "kim"), stack.keyring.token("customer", "lee")
        client = rpc.Client(stack.address("booking.clients"), token=None)
        stack.clients.append(client)

        def ask(token, name="authorization", **more):
            payload = rpc.booking_pb2.GetBookingRequest(booking_id=booking).SerializeToString()
            return rpc.pack(method, payload, 50000, {name: "Bearer " + token, **more}, token=None)
        assert client.raw(ask(kim)).code == rpc.OK and client.raw(ask(lee)).code == rpc.NOT_FOUND
        body = ask(lee)
        for place, byte in enumerate(body):
            altered = body[:place] + bytes((byte ^ 1 << place % 8,)) + body[place + 1:]
            reply = client.raw(altered)
            assert reply.code != rpc.OK, (place, byte, reply)
        for cut in range(0, len(body), 37):
            assert client.raw(body[:cut]).code != rpc.OK, cut
        for name in ("Authorization", "authorization ", "", "authorization\0"):
            assert client.raw(ask(kim, name)).code in (UNAUTHENTICATED, rpc.INVALID_ARGUMENT), name
        for more in ({"client-address": "127.0.0.1"}, {"subject": "kim"}, {"roles": "admin"}, {"x-forwarded-for": "127.0.0.1"}):
            assert client.raw(ask(lee, **more)).code == rpc.NOT_FOUND, more


@once
def test_tokens_of_a_revoked_key_are_refused_and_those_of_a_new_one_accepted(driver):
    """On SIGHUP at once, and otherwise when the file has changed. A broken file changes nothing."""
    with SecureStack(driver) as stack:
        ring, service, new = stack.keyring, stack.hospital_svc, Key("RS256")
        old_token, new_token = ring.token("admin"), new.token(claims("admin", "admin"))
        assert stack.accepts(old_token) and not stack.accepts(new_token)
        ring.write_keys([ring.issuer, new])
        service.process.send_signal(signal.SIGHUP)
        wait_for("the new key counts", lambda: stack.accepts(new_token))
        assert stack.accepts(old_token)
        ring.write_keys([new])
        wait_for("the old key is revoked", lambda: not stack.accepts(old_token))
        ring.write("people.jwks.json", {"keys": [{"kty": "EC"}]})
        service.process.send_signal(signal.SIGHUP)
        wait_for("the broken file is reported", lambda: any(
            line.get("event") == "security.reload_failed" for line in service.log_lines()))
        assert stack.accepts(new_token)
        assert any(line.get("event") == "security.reloaded" for line in service.log_lines())
        admin = {"authorization": "Bearer " + new_token}
        assert list(stack.caller.Stats(metadata=admin).message.degraded) == [
            "issuers: a file could not be read again, and its earlier contents count"]
        booking = rpc.Client(stack.address("hospital.rpc"), token=ring.service_token("booking-svc", "hospital-svc"))
        assert booking.Stats().code == rpc.OK
        ring.write("booking-svc.jwks.json", {"keys": []})  # another issuer, whose key is withdrawn all the same
        wait_for("the key of booking-svc is revoked", lambda: booking.Stats().code == UNAUTHENTICATED)
        stats = stack.caller.Stats(metadata=admin).message
        assert {stat.name: stat.value for stat in stats.stats}["auth_issuers_stale"] == 1
        ring.write_keys([new])
        wait_for("the file is whole again", lambda: not stack.caller.Stats(metadata=admin).message.degraded)
        booking.close()


@once
def test_a_signing_key_that_cannot_be_read_is_shown_until_it_can(driver):
    with SecureStack(driver) as stack:
        path, admin = stack.keyring.key_path("hospital-svc"), {"authorization": "Bearer " + stack.keyring.token("admin")}

        def degraded():
            return list(stack.caller.Stats(metadata=admin).message.degraded)
        os.rename(path, path + ".away")
        wait_for("it is shown", lambda: degraded() == ["token-key: the file could not be read again, and the earlier key is in use"])
        assert {stat.name: stat.value for stat in stack.caller.Stats(metadata=admin).message.stats}["auth_key_stale"] == 1
        os.rename(path + ".away", path)
        wait_for("the key is read again", lambda: degraded() == [])
        assert sum(line.get("event") == "auth.key_reload_failed" for line in stack.hospital_svc.log_lines()) == 1


@once
def test_a_stream_of_events_ends_with_its_token(driver):
    """At the end of the token, and when its key or the entry of its issuer changes; the client comes back and is answered 401."""
    with SecureStack(driver, gateway=True, flags={"gateway": {"public-catalogue": "true"}}) as stack:
        ring, new, lifetime_s = stack.keyring, Key(), 8
        hospital = register(stack)
        tokens = {"old": ring.token("customer", "lee"), "new": new.token(claims("customer", "park")), "": None}

        def listen(name):
            return sse.Listener(stack.gateway_svc.http, token=tokens[name], hospitalId=hospital)

        def reload(write, *content):
            def reloads():
                return sum(line.get("event") == "auth.reloaded" for line in stack.gateway_svc.log_lines())
            before = reloads()
            write(*content)
            wait_for("the gateway has read the file", lambda: reloads() > before)
        reload(ring.write_keys, [ring.issuer, new])
        streams = {name: listen(name) for name in tokens}
        end = int(time.time()) + lifetime_s
        tokens["short"] = ring.token("customer", "kim", exp=end - MINUTE_S)  # ends then, with the skew
        streams["short"] = listen("short")
        assert [stream.code for stream in streams.values()] == [200] * 4
        assert streams["short"].ends_within(DEADLINE_S) and time.time() >= end
        assert listen("short").code == 401
        reload(ring.write_keys, [new])
        assert streams["old"].ends_within(DEADLINE_S) and listen("old").code == 401
        reload(ring.write_keys, [new, Key()])
        assert not streams["new"].ends_within(2)  # another key makes no difference
        people = {"issuer": ISSUER, "audience": AUDIENCE, "keys": "people.jwks.json", "roles": {"always": "customer"}}
        reload(ring.write, "issuers.json", {"issuers": [people]})
        assert streams["new"].ends_within(DEADLINE_S) and listen("new").code == 200  # by the new entry
        assert not streams[""].ends_within(1)
        assert stack.gateway_svc.metric("live_tokens_outlived_total") == 3


@once
def test_forged_tokens_of_one_client_cost_the_others_nothing(driver):
    """A flood of tokens that name a real key: few signatures are verified, and other connections and addresses are served."""
    with SecureStack(driver, gateway=True) as stack:
        ring = stack.keyring
        forged = [Key().token(claims("admin", "mallory", jti=str(i)), kid=ring.issuer.kid) for i in range(5)]
        bodies = [rpc.pack(rpc.METHODS["ListHospitals"][0], b"", metadata={"authorization": "Bearer " + token}) for token in forged]
        admin = {"authorization": "Bearer " + ring.token("admin")}

        def verified():
            return {stat.name: stat.value for stat in stack.caller.Stats(metadata=admin).message.stats}["auth_tokens_verified_total"]
        before, begun = verified(), time.monotonic()
        with Flood(stack.address("hospital.clients"), bodies, 64) as flood:
            wait_for("many forged tokens are answered", lambda: flood.answered.value > 2000)
            assert stack.accepts(ring.token("admin", "another"))
        assert verified() - before <= 30 + 3 * (time.monotonic() - begun), "20 of the flood, 2 a second, and two good tokens"
        client = web.Client(stack.gateway_svc.http)
        answers = []
        while 429 not in answers:
            answer = client.get("/hospitals", headers={"Authorization": "Bearer " + forged[0]})
            answers.append(answer.code)
            assert answer.code in (401, 429) and len(answers) < 1000, answer
        assert len(answers) > 20 and answer.json["reason"] == "TOO_MANY_CALLS" and answer.headers["Retry-After"] == "1", answer
        client.close()
        client = web.Client(stack.gateway_svc.http, source="127.0.0.2")
        assert client.get("/hospitals", headers={"Authorization": "Bearer " + ring.token("customer", "kim")}).code == 200
        client.close()


@once
def test_tokens_are_in_no_log(driver):
    with SecureStack(driver, gateway=True, flags={name: {"log-level": "debug"} for name in ("hospital", "booking", "gateway")}) as stack:
        token, wrong = stack.keyring.token("admin"), Key().token(claims("admin", "mallory-the-subject"))
        register(stack)
        client = web.Client(stack.gateway_svc.http)
        assert client.get("/hospitals", headers={"Authorization": "Bearer " + token}).code == 200
        assert client.get("/hospitals", headers={"Authorization": "Bearer " + wrong}).code == 401
        client.close()
        for service in (stack.hospital_svc, stack.booking_svc, stack.gateway_svc):
            with open(service.log_path, encoding="utf-8") as log:
                text = log.read()
            for secret in (*token.split(".")[1:], *wrong.split(".")[1:], "mallory-the-subject"):
                assert secret not in text, (service.name, secret)


@once
def test_security_files_that_are_wrong_stop_the_start(driver):
    with SecureStack(driver) as stack:
        ring, service = stack.keyring, stack.hospital_svc
        service.stop()
        cases = [
            ({"issuers": stack.folder + "/none.json"}, "hospital-svc: issuers: "),
            ({"token-key": stack.folder + "/none.json"}, "hospital-svc: token-key: "),
        ]
        ring.write("broken.json", {"issuers": "x"})
        cases.append(({"issuers": ring.folder + "/broken.json"}, "hospital-svc: issuers: "))
        ring.write("shared.key.json", ring.services["hospital-svc"].secret())
        os.chmod(ring.folder + "/shared.key.json", 0o640)
        cases.append(({"token-key": ring.folder + "/shared.key.json"}, "hospital-svc: token-key: %s/shared.key.json: its mode is 0640: " % ring.folder))
        for flags, begin in cases:
            done = service.run_once(**flags)
            assert done.returncode == 2 and done.stderr.startswith(begin) and done.stderr.count("\n") == 1, done
        service.start()


@once
def test_a_person_who_calls_too_often_is_told_when_to_come_back(driver):
    """Each person has an allowance of changes and one of reads, whatever token and connection they use. Services have none."""
    flags = {"reads-per-s": 1, "reads-burst": 5, "changes-per-s": 1, "changes-burst": 2}
    with SecureStack(driver, gateway=True, flags={"hospital": flags}) as stack:
        ring, codes = stack.keyring, []
        kim, lee = ring.token("customer", "kim"), ring.token("customer", "lee")
        while rpc.RESOURCE_EXHAUSTED not in codes:
            reply = stack.caller.ListHospitals(metadata={"authorization": "Bearer " + kim})
            codes.append(reply.code)
            assert len(codes) < 1000
        assert reply.reason == "TOO_MANY_CALLS" and 0 < reply.retry_after_ms <= 1000, reply
        assert codes.count(rpc.OK) >= 5
        client = web.Client(stack.gateway_svc.http)
        answer = client.get("/hospitals", headers={"Authorization": "Bearer " + ring.token("customer", "kim")})
        assert answer.code in (200, 429)  # the allowance may have grown by one
        while answer.code != 429:
            answer = client.get("/hospitals", headers={"Authorization": "Bearer " + kim})
        assert answer.headers["Retry-After"] == "1" and answer.json["reason"] == "TOO_MANY_CALLS", answer
        assert client.get("/hospitals", headers={"Authorization": "Bearer " + lee}).code == 200
        client.close()
        admin = ring.token("admin", "operator")
        for _ in range(3):
            reply = stack.caller.DeleteHospital(metadata={"authorization": "Bearer " + admin}, hospital_id=rpc.new_id())
        assert reply.reason == "TOO_MANY_CALLS", reply
        assert stack.caller.ListHospitals(metadata={"authorization": "Bearer " + admin}).code == rpc.OK
        environment = {"SCREENING_TOKEN_FILE": ring.token_file("operator-2")}
        for _ in range(4):  # screenctl waits for its turn
            done = screenctl(stack, "hospital", "delete", "--yes", rpc.new_id(), services=(), SCREENING_HOSPITAL_ADDR=stack.address(
                "hospital.clients"), **environment)
            assert "NOT_FOUND" in done.stderr or "no hospital" in done.stderr, done
        service = rpc.Client(stack.address("hospital.rpc"), token=ring.service_token("booking-svc", "hospital-svc"))
        assert all(service.Stats().code == rpc.OK for _ in range(20))
        stats = {stat.name: stat.value for stat in service.Stats().message.stats}
        assert stats['rpc_server_refused_callers_total{reason="TOO_MANY_CALLS"}'] >= 3
        service.close()
