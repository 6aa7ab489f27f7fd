"""Tests screenctl issuer fetch against providers that are right, wrong, large, slow and false."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import tempfile
import threading

from kit.deadline import DEADLINE_S
from kit.marks import once
from kit.pki import done, openssl, read_json, screenctl
from kit.screenctl import check_error
from kit.stack import program

DISCOVERY, KEYS = "/.well-known/openid-configuration", "/jwks"
LARGE = 60000


class Provider:
    """Serves documents over HTTPS, with a certificate of a new authority, until the end of the block."""

    def __init__(self, certificate="front", minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.MAXIMUM_SUPPORTED):
        self.certificate, self.minimum, self.maximum = certificate, minimum, maximum

    def __enter__(self):
        self.kept = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.folder = self.kept.name
        self.pki, self.out = self.folder + "/pki", self.folder + "/provider.jwks.json"
        done("pki", "init", self.pki)
        self.asked, self.answers, self.stop = [], {}, threading.Event()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                provider.asked.append((self.path, dict(self.headers)))
                provider.answers.get(self.path, lambda handler: handler.send_error(404))(self)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = self.minimum, self.maximum
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.load_cert_chain("%s/%s/tls.pem" % (self.pki, self.certificate))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "https://localhost:%d" % self.server.server_port
        self.describe()
        self.publish(read_json(self.pki, "screening.jwks.json"))
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.kept.cleanup()

    def describe(self, **members):
        self.answers[DISCOVERY] = body({"issuer": self.url, "jwks_uri": self.url + KEYS} | members)

    def publish(self, document):
        self.answers[KEYS] = body(document)

    def fetch(self, *words, url=None, authority="clients-ca.pem"):
        return screenctl(*words, "issuer", "fetch", url or self.url, "--out", self.out, "--ca", self.pki + "/" + authority)

    def refused(self, *names, **more):
        check_error(self.fetch(**more), 1, *names)


def body(document, code=200, **headers):
    """Returns a handler that answers with the document, whose length it does not announce if it is large."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()

    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        if len(content) < LARGE:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
    return answer


def rsa_key(folder, bits, kid):
    openssl("genrsa", "-out", folder + "/rsa", str(bits))
    modulus = bytes.fromhex(openssl("rsa", "-in", folder + "/rsa", "-noout", "-modulus").strip().partition("=")[2])
    return {"kty": "RSA", "kid": kid, "e": "AQAB", "n": base64.urlsafe_b64encode(modulus).rstrip(b"=").decode()}


@once
def test_issuer_fetch_writes_the_keys_that_services_can_use_when_they_change(driver):
    del driver
    with Provider() as provider:
        good = read_json(provider.pki, "screening.jwks.json")["keys"][0]
        rsa = rsa_key(provider.folder, 2048, "rsa")
        expected = {"keys": [{name: value for name, value in good.items() if name != "use"}, rsa | {"alg": "RS256"}]}
        provider.publish({"keys": [
            good | {"x5c": ["AAAA"], "more": 1}, rsa | {"use": "sig"},
            rsa | {"kid": "encrypts", "use": "enc"}, rsa | {"kid": "pss", "alg": "PS256"}, rsa_key(provider.folder, 1024, "short"),
            {"kty": "OKP", "crv": "Ed25519", "kid": "okp", "x": "A" * 43}, good | {"kid": "curve", "crv": "P-384"},
            good | {"kid": "point", "x": good["y"]}, {name: value for name, value in good.items() if name != "kid"}, "text", 7]})
        assert json.loads(provider.fetch("--json").stdout) == {"issuer": provider.url, "keys": 2, "skipped": 9, "changed": True}
        assert read_json(provider.out) == expected
        assert [path for path, _ in provider.asked] == [DISCOVERY, KEYS]
        before = os.stat(provider.out)
        assert "unchanged" in provider.fetch().stdout
        assert os.stat(provider.out).st_ino == before.st_ino and os.stat(provider.out).st_mtime_ns == before.st_mtime_ns
        provider.publish({"keys": [rsa]})
        assert "written" in provider.fetch().stdout
        assert read_json(provider.out) == {"keys": expected["keys"][1:]} and os.stat(provider.out).st_mode & 0o777 == 0o644
        # An issuer with a path, or with a slash at its end.
        for end, path in (("/realms/a", "/realms/a" + DISCOVERY), ("/", DISCOVERY)):
            provider.answers[path] = body({"issuer": provider.url + end, "jwks_uri": provider.url + KEYS})
            assert "unchanged" in provider.fetch(url=provider.url + end).stdout
        assert sorted(os.listdir(provider.folder)) == ["pki", "provider.jwks.json", "rsa"]


@once
def test_issuer_fetch_refuses_wrong_documents_and_keeps_the_file(driver):
    del driver
    with Provider() as provider:
        assert provider.fetch().returncode == 0
        kept, keys, good = os.stat(provider.out), provider.url + KEYS, read_json(provider.pki, "screening.jwks.json")["keys"][0]
        private = read_json(provider.pki, "screening.key.json")
        for document, names in (
                ({"keys": [private]}, ["d: must not be published"]), ({"keys": [good, {"kty": "oct", "kid": "s", "k": "AAAA"}]}, ["key s: k"]),
                ({"keys": [good, good]}, ["occurs twice"]), ({"keys": []}, ["none can be used"]), ({"keys": good}, ["keys: "]),
                ({"keys": [good] * 65}, ["64"]), ({}, ["keys: "]), ([good], ["JSON object"]), (b"<html>", ["JSON object"]),
                (b'{"keys": [], "keys": []}', ["JSON object"]), (b"", ["JSON object"]), (b"{" + b" " * 262144 + b"}", ["262144 bytes"])):
            provider.publish(document)
            provider.refused("FAILED_PRECONDITION", keys, *names)
        provider.publish({"keys": [good]})
        for members, name in (({"issuer": provider.url + "/"}, "issuer"), ({"issuer": None}, "issuer"), ({"jwks_uri": 7}, "jwks_uri"),
                              ({"jwks_uri": "http://localhost" + KEYS}, "jwks_uri"), ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
                              ({"jwks_uri": "https://user@localhost/"}, "jwks_uri"), ({"padding": " " * 65536}, "65536 bytes")):
            provider.describe(**members)
            provider.refused("FAILED_PRECONDITION", provider.url + DISCOVERY, name)
        for answer, name in ((body(b"", 301, Location=provider.url + "/other"), "301"), (body({}, 500), "500"), (body(b"{}", 204), "204")):
            provider.answers[DISCOVERY] = answer
            provider.refused("FAILED_PRECONDITION", provider.url + DISCOVERY, name)
        assert "/other" not in [path for path, _ in provider.asked]
        assert os.stat(provider.out).st_ino == kept.st_ino and os.stat(provider.out).st_mtime_ns == kept.st_mtime_ns


@once
def test_issuer_fetch_talks_only_to_the_provider_that_the_certificate_names(driver):
    del driver
    with Provider() as provider:
        provider.refused("UNAVAILABLE", provider.url, authority="services-ca.pem")  # an authority that did not sign it
        check_error(screenctl("issuer", "fetch", provider.url, "--out", provider.out), 1, "UNAVAILABLE", provider.url)
        other = provider.url.replace("localhost", "127.0.0.2")
        provider.refused("UNAVAILABLE", other, url=other)  # a host that it does not name
        provider.refused("UNAVAILABLE", provider.url, authority="absent.pem")
        assert provider.asked == [] and not os.path.exists(provider.out)
    with Provider(minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1) as provider:
        provider.refused("UNAVAILABLE", provider.url)
        assert provider.asked == []
    with Provider() as provider:
        provider.answers[KEYS] = lambda handler: provider.stop.wait(DEADLINE_S)
        process = subprocess.Popen([program("screenctl"), "--timeout", "300", "issuer", "fetch", provider.url, "--out", provider.out,
                                    "--ca", provider.pki + "/clients-ca.pem"], stderr=subprocess.PIPE, text=True)
        _, error = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1 and "UNAVAILABLE" in error and provider.url + KEYS in error, error


@once
def test_issuer_fetch_names_the_wrong_argument(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        for url in ("http://localhost", "https://", "https:///a", "localhost", "https://a?b", "https://a#b", "https://a@b", "https://a b", ""):
            check_error(screenctl("issuer", "fetch", url, "--out", folder + "/out"), 2, "URL " + url)
        check_error(screenctl("issuer", "fetch", "https://a"), 2, "--out")
        check_error(screenctl("issuer", "fetch", "--out", folder + "/out"), 2, "URL")
        assert os.listdir(folder) == []
    with Provider() as provider:
        os.mkdir(provider.out)
        provider.refused("FAILED_PRECONDITION", provider.out)
