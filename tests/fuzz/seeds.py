"""Makes the first inputs of the fuzzers: valid requests of each kind, what HTTP/2 has beside requests, tokens, issuers, certificates and keys."""
import base64
import datetime
import json
import struct

import hpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 1, 4, 8, 32
# The options in the first bytes of an input, as in gateway-svc/http2_fuzz.c and grpc_fuzz.c.
RAW, WITH_PREFACE, AS_RECORDS, LATER, ERRORS, SLOWLY, STALLS, TIME_PASSES, RESETS = 0, 1, 2, 4, 8, 16, 32, 64, 128
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

ID = "01890000-0000-7000-8000-000000000002"
BOOKING = ('{"customerId":"c-1","customerName":"김하늘","hospitalId":"%s","date":"2026-12-01","headcount":2}' % ID).encode()
HOSPITAL = '{"name":"한빛","address":"서울","days":[{"date":"2026-12-01","capacity":10}]}'.encode()
JSON = ("content-type", "application/json")
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))


def head(method, path, *fields):
    return hpack.Encoder().encode([(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), *fields])


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def record(kind, flags, stream, payload=b""):
    return bytes((kind, flags, stream, len(payload))) + payload


def message(body):
    """Returns a message of gRPC in its frame."""
    return b"\0" + struct.pack(">I", len(body)) + body


def text_field(number, text):
    return bytes((number << 3 | 2, len(text))) + text.encode()


# (method, path, fields, body)
REQUESTS = (
    ("GET", "/hospitals?nameContains=%ED%95%9C&pageSize=5", (), b""),
    ("GET", "/hospitals/%s/availability?fromDate=2026-12-01" % ID, (("if-none-match", '"1"'),), b""),
    ("HEAD", "/openapi.json", (), b""),
    ("GET", "/docs/wire-protocol.md", (), b""),
    ("POST", "/bookings", (JSON, ("idempotency-key", "order 17"), ("x-forwarded-for", "192.0.2.7")), BOOKING),
    ("POST", "/hospitals", (JSON, ("content-length", str(len(HOSPITAL)))), HOSPITAL),
    ("PUT", "/hospitals/%s/days/2026-12-01" % ID, (JSON, ("if-match", '"7"')), b'{"capacity":9}'),
    ("POST", "/bookings/%s/cancel" % ID, (("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")), b"{}"),
    ("OPTIONS", "/bookings", (("origin", "https://clinic.example"), ("access-control-request-method", "POST")), b""),
    ("GET", "/events?date=2026-12-01&hospitalId=" + ID, (("last-event-id", "1.2"),), b""),
    ("POST", "/screening.v1.BookingService/GetBooking", (JSON, ("connect-timeout-ms", "500")), b'{"bookingId":"%s"}' % ID.encode()),
    ("GET", "/screening.v1.BookingService/GetBooking?encoding=json&message=%7B%7D", (), b""),
    ("POST", "/screening.v1.HospitalService/GetHospital", GRPC + (("grpc-timeout", "100m"),), message(text_field(1, ID))),
    ("POST", "/grpc.health.v1.Health/Check", GRPC, message(b"")),
    ("POST", "/bookings", (JSON, ("expect", "100-continue")), BOOKING),
)


def of_connection():
    """Returns frames without requests, as (kind, flags, stream, payload)."""
    return ((SETTINGS, 0, 0, struct.pack(">HI", 4, 100)), (SETTINGS, 1, 0), (PING, 0, 0, b"12345678"), (PRIORITY, 0, 3, bytes(5)),
            (WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20)), (RST_STREAM, 0, 1, struct.pack(">I", 8)),
            (GOAWAY, 0, 0, struct.pack(">II", 0, 0)))


def frames_of(request, stream, fragmented=False):
    """Returns the frames of a request, as (kind, flags, stream, payload)."""
    method, path, fields, body = request
    block, ends = head(method, path, *fields), 0 if body else END_STREAM
    if fragmented:
        yield HEADERS, ends | WITH_PRIORITY, stream, bytes(5) + block[:9]
        yield CONTINUATION, 0, stream, block[9:20]
        yield CONTINUATION, END_HEADERS, stream, block[20:]
    else:
        yield HEADERS, ends | END_HEADERS, stream, block
    if body and fragmented:
        yield DATA, PADDED, stream, b"\3" + body[:5] + bytes(3)
        yield DATA, 0, stream, body[5:]
        yield HEADERS, END_HEADERS | END_STREAM, stream, hpack.Encoder().encode([("x-trailer", "1")])
    elif body:
        yield DATA, END_STREAM, stream, body


def http2():
    settings = frame(SETTINGS, 0, 0)
    whole = [one for number, request in enumerate(REQUESTS) for one in frames_of(request, 2 * number + 1)]
    yield bytes((RAW, 0)) + PREFACE + settings + b"".join(frame(*one) for one in whole)
    yield bytes((RAW, 0)) + b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for more in (0, LATER, ERRORS, LATER | RESETS, SLOWLY, STALLS | TIME_PASSES, LATER | SLOWLY, TIME_PASSES):
        yield bytes((WITH_PREFACE | more, 0)) + b"".join(frame(*one) for one in whole)
    for number, request in enumerate(REQUESTS):
        for fragmented in (False, True):
            frames = list(frames_of(request, 1, fragmented))
            yield bytes((WITH_PREFACE, 0)) + b"".join(frame(*one) for one in frames)
            more = (LATER, ERRORS, TIME_PASSES, RESETS | LATER)[number % 4]
            yield bytes((WITH_PREFACE | AS_RECORDS | more, 17)) + b"".join(record(*one) for one in frames if len(one[3]) < 256)
    yield bytes((WITH_PREFACE | AS_RECORDS, 0)) + b"".join(record(*one) for one in of_connection())
    opened = list(frames_of(REQUESTS[9], 1)) + [(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1 << 20)), (RST_STREAM, 0, 1, struct.pack(">I", 8))]
    yield bytes((WITH_PREFACE | AS_RECORDS, 0)) + b"".join(record(*one) for one in opened)
    unfinished = [(HEADERS, 0, 1, head("GET", "/")[:4])]
    yield bytes((WITH_PREFACE | AS_RECORDS | TIME_PASSES, 0)) + b"".join(record(*one) for one in unfinished)
    many = [(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, head("GET", "/bookings/x")) for number in range(127)]
    yield bytes((WITH_PREFACE | AS_RECORDS | LATER, 0)) + b"".join(record(*one) for one in many)
    bursts = [(PING, 0, 0, bytes(8))] * 300
    yield bytes((WITH_PREFACE | AS_RECORDS, 0)) + b"".join(record(*one) for one in bursts)


def grpc():
    """The options are those of grpc_fuzz.c: 1 later, 2 errors, 4 in pieces, 8 never ends, 16 time passes, 32 no type."""
    get, create = "/screening.v1.HospitalService/GetHospital", "/screening.v1.BookingService/CreateBooking"
    booking = text_field(2, "c-1") + text_field(3, "김하늘") + text_field(4, ID) + text_field(5, "2026-12-01")
    for options in (0, 1, 2, 3, 4, 8, 24, 12):
        yield bytes((options,)) + (get + "\n\n").encode() + message(text_field(1, ID))
        yield bytes((options,)) + (create + "\ngrpc-timeout: 100m\n\n").encode() + message(booking)
    for path in ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
                 "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"):
        yield b"\0" + (path + "\n\n").encode() + message(text_field(1, "screening.v1.BookingService"))
    for reflected in (text_field(3, "screening/v1/booking.proto"), text_field(4, "screening.v1.Booking"), text_field(7, "")):
        yield b"\4/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo\n\n" + 2 * message(reflected)
    for field in ("grpc-encoding: gzip", "grpc-timeout: 0n", "grpc-timeout: 99999999H", "content-type: application/grpc+proto",
                  "content-type: application/grpc+json", "content-type: application/grpc-web", "grpc-accept-encoding: identity,gzip",
                  "x-bin: AAEC", "authorization: Bearer a\ntraceparent: 00-%s-%s-01" % ("a" * 32, "b" * 16), "content-length: 7"):
        yield bytes((32 if "content-type" in field else 0,)) + (get + "\n" + field + "\n\n").encode() + message(text_field(1, ID))
    for body in (b"", b"\0\0\0\0", b"\1\0\0\0\1a", message(b"a") + message(b"b"), b"\0\xff\xff\xff\xff", message(bytes(9000))[:4000]):
        yield b"\0" + (get + "\n\n").encode() + body
    yield b"\0/none.Such/Method\n\n" + message(b"")


def rest():
    for method, path, fields, body in REQUESTS[:12]:
        lines = ["%s %s" % (method, path), *("%s: %s" % field for field in fields)]
        yield "\n".join(lines).encode() + b"\n\n" + body


def token():
    """The first byte is that of token_fuzz.c: 0 a header, 1 parts of a token, 2 edits of a good token, 3 claims."""
    claims = {"iss": "clinic", "aud": "screening", "sub": "kim", "exp": 1800000600}
    more = ({}, {"aud": ["a", "screening"]}, {"exp": 1799999000}, {"exp": 1.8e9}, {"nbf": 1800000100, "iat": 1}, {"sub": "김하늘"},
            {"access": {"roles": ["desk", "client"]}, "places": [ID]}, {"access": {"roles": "desk"}, "places": []},
            {"iss": "other", "aud": "booking-svc"})
    headers = [{"alg": algorithm, "kid": key, "typ": "JWT"} for algorithm, key in
               (("ES256", "ec"), ("RS256", "rsa"), ("HS256", "ec"), ("none", "other"))]
    headers += [{**headers[0], "typ": "at+jwt"}] + [{**headers[0], name: "x"} for name in ("jku", "x5u", "x5c", "jwk", "crit", "zip", "b64")]
    for members in more:
        yield b"\3" + json.dumps({**claims, **members}).encode()
        yield b"\1" + json.dumps(headers[0]).encode() + b"\0" + json.dumps({**claims, **members}).encode()
    for header in headers:
        parts = json.dumps(header).encode(), json.dumps(claims).encode()
        yield b"\1" + b"\0".join(parts)
        yield b"\0Bearer " + b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (*parts, bytes(64)))
    yield b"\2"
    for place in (0, 20, 60, 100, 200, 300):
        yield b"\2" + struct.pack(">HB", place, 65)


def issuers():
    """The first byte is that of issuers_fuzz.c: "R" if OpenSSL checks the numbers of the keys."""
    generator = {"x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}
    curve = {"kid": "1", "kty": "EC", "crv": "P-256", **generator}
    rsa = {"kid": "2", "kty": "RSA", "n": "u" * 342, "e": "AQAB", "alg": "RS256", "use": "sig"}
    sets = ([], [curve], [curve, rsa], [curve, curve], [{**curve, "d": "AA"}], [{"kid": "3", "kty": "OKP", "crv": "Ed25519", "x": "AA"}],
            [{**rsa, "use": "enc"}], [{**curve, "key_ops": ["verify"], "alg": "ES256"}], [{**curve, "crv": "P-384"}], [{**rsa, "n": "AQ"}])
    clinic = {"issuer": "clinic", "audience": "screening", "keys": "k.json", "scope_claim": "hospitals",
              "roles": {"claim": "a.role", "values": {"x": "customer", "y": "staff", "z": "admin"}}}
    service = {"issuer": "booking-svc", "audience": "@program", "keys": "k.json", "roles": {"always": "service"}}
    for listed in ([clinic], [service], [clinic, service], [clinic, clinic], [{**service, "more": 1}], [{**clinic, "keys": "none"}], []):
        yield b"-" + json.dumps({"issuers": listed}).encode() + b"\0" + json.dumps({"keys": sets[2]}).encode()
    for first in (b"-", b"R"):
        for keys in sets:
            yield first + json.dumps({"issuers": [service]}).encode() + b"\0" + json.dumps({"keys": keys}).encode()


def certificates_and_keys():
    """The first byte is that of certificate_fuzz.c."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hospital-svc")])
    begin = datetime.datetime(2026, 1, 1)
    formats = ((serialization.Encoding.DER, b"CR", b"K"), (serialization.Encoding.PEM, b"c", b"k"))
    for private in (ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate(),
                    rsa.generate_private_key(65537, 2048)):
        public = private.public_key()
        made = x509.CertificateBuilder(name, name, public, 7, begin, begin + datetime.timedelta(days=90)).add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("hospital-svc")]), critical=False).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public), critical=False).sign(
            private, None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256())
        for encoding, certificates, keys in formats:
            for kind in certificates:
                yield bytes((kind,)) + made.public_bytes(encoding)
            yield keys + private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        yield b"k" + private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.BestAvailableEncryption(b"secret"))
    numbers = ec.derive_private_key(7, ec.SECP256R1()).private_numbers()
    x, y, d = (base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode() for number in (
        numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value))
    key = {"kid": "1", "kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y, "d": d}
    for more in ({}, {"d": x}, {"d": "AA"}, {"kid": ""}, {"crv": "P-384"}, {"kty": "oct", "k": "AAAA"}, {"alg": "RS256"}, {"y": x}):
        yield b"J" + json.dumps({**key, **more}).encode()


def certificate():
    return [seed for seed in certificates_and_keys() if seed[:1] in b"Cc"]


def key():
    return [seed for seed in certificates_and_keys() if seed[:1] not in b"Cc"]


SEEDS = {"http2": http2, "grpc": grpc, "rest": rest, "token": token, "issuers": issuers, "certificate": certificate, "key": key}
