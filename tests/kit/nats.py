"""Runs Debian's nats-server with JetStream, and speaks the text protocol of NATS with it."""
import base64
import binascii
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .ids import new_id
from .marks import Skipped
from .stack import DEADLINE_S, free_port, wait_for
from .tokens import encode

PROGRAM = "/usr/sbin/nats-server"


class Refused(Exception):
    """Raised if the server answers with an error. `code` is JetStream's own number, such as 10071."""

    def __init__(self, error):
        super().__init__(error)
        self.code = error.get("err_code")


class Client:
    """A connection to a server. `user` is a User, for a server that asks for one."""

    def __init__(self, port, context=None, user=None, **options):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.file = self.socket.makefile("rwb")
        self.info = json.loads(self._line().partition(b" ")[2])
        if context is not None:
            self.file.close()
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
            self.file = self.socket.makefile("rwb")
        if user is not None:
            options = {**options, "jwt": user.jwt, "sig": encode(user.key.private.sign(self.info["nonce"].encode()))}
        self._write(b"CONNECT %s\r\n" % json.dumps({"verbose": False, "headers": True, "no_responders": True, **options}).encode())
        self.inbox = new_id().encode()
        self._write(b"SUB %s.* 1\r\n" % self.inbox)

    def close(self):
        self.file.close()
        self.socket.close()

    def _write(self, data):
        self.file.write(data)
        self.file.flush()

    def _line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the server has closed the connection")
        return line[:-2]

    def request(self, subject, data=b"", headers=None):
        """Sends a message and returns the body of the answer."""
        head = b"" if headers is None else b"NATS/1.0\r\n%s\r\n" % b"".join(b"%s: %s\r\n" % (name.encode(), value.encode())
                                                                        for name, value in headers.items())
        start = b"PUB %s %s.1 " % (subject.encode(), self.inbox)
        sizes = b"%d" % len(data)
        if headers is not None:
            start, sizes = b"H" + start, b"%d %d" % (len(head), len(head) + len(data))
        self._write(start + sizes + b"\r\n" + head + data + b"\r\n")
        return self._answer()

    def _answer(self):
        while True:
            words = self._line().split()
            if words[0] == b"PING":
                self._write(b"PONG\r\n")
            elif words[0] == b"-ERR":
                raise OSError(b" ".join(words).decode())
            elif words[0] in (b"MSG", b"HMSG"):
                body = self.file.read(int(words[-1]) + 2)[:-2]
                return body[int(words[-2]):] if words[0] == b"HMSG" else body

    def ask(self, name, **request):
        """Calls a method of JetStream, such as STREAM.INFO.orders."""
        answer = json.loads(self.request("$JS.API." + name, json.dumps(request).encode()) or b'{"error": {"code": 503}}')
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def publish(self, subject, data, **headers):
        """Publishes to a stream. Returns the sequence of the message."""
        answer = json.loads(self.request(subject, data, {name.replace("_", "-"): value for name, value in headers.items()}))
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["seq"]

    def last_seq(self, stream):
        """Returns the sequence of the last message that the stream has ever had, or 0 without a stream."""
        try:
            return self.ask("STREAM.INFO." + stream)["state"]["last_seq"]
        except Refused as refused:
            if refused.code != 10059:
                raise
            return 0

    def message(self, stream, seq):
        """Returns (subject, headers, body) of a message."""
        found = self.ask("STREAM.MSG.GET." + stream, seq=seq)["message"]
        lines = base64.b64decode(found.get("hdrs", "")).decode().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if line)
        assert found["seq"] == seq, found
        return found["subject"], headers, base64.b64decode(found.get("data", ""))


class Server:
    """A server during a `with` block, at the same port after each start. `config` is text for its configuration file. With `tls`, a
    client needs an ssl.SSLContext."""

    def __init__(self, config="", scheme="nats", context=None, **options):
        if not os.path.exists(PROGRAM):
            raise Skipped("the package nats-server is not installed")
        self.config, self.scheme, self.context, self.options = config, scheme, context, options
        self.folder = tempfile.mkdtemp(prefix="screening-nats-", dir="/tmp")
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return "%s://127.0.0.1:%d" % (self.scheme, self.port)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.kill()
        if kind is not None:
            with open(self.folder + "/log", encoding="utf-8", errors="replace") as log:
                print("---- the end of nats-server's log\n" + "".join(log.readlines()[-20:]))
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        path = self.folder + "/server.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write("host: 127.0.0.1\nport: %d\njetstream { store_dir: %s/store }\n%s\n" % (self.port, self.folder, self.config))
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", path], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("nats-server is ready", self._ready)
        return self

    def _ready(self):
        assert self.process.poll() is None, "nats-server ended with %d" % self.process.returncode
        try:
            client = self.client()
        except OSError:
            return False
        try:
            return client.ask("INFO")
        except (OSError, Refused):
            return False
        finally:
            client.close()

    def client(self):
        return Client(self.port, self.context, **self.options)

    def kill(self, number=signal.SIGKILL):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=DEADLINE_S)


OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3  # the first bytes of NATS's keys


class NatsKey:
    """A key pair in the form of NATS: base32 of its kind, the bytes and a checksum."""

    def __init__(self, kind):
        self.private, self.kind = Ed25519PrivateKey.generate(), kind
        public = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        secret = self.private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
        self.public = self._text(bytes([kind]) + public)
        self.seed = self._text(bytes([SEED | kind >> 5, (kind & 31) << 3]) + secret)

    @staticmethod
    def _text(data):
        return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).rstrip(b"=").decode()

    def claim(self, subject, kind, **nats):
        """Returns a JWT in which this key says something about the key `subject`."""
        body = {"jti": new_id(), "iat": int(time.time()), "iss": self.public, "name": kind, "sub": subject.public,
                "nats": {"type": kind, "version": 2, **nats}}
        text = encode({"typ": "JWT", "alg": "ed25519-nkey"}) + "." + encode(body)
        return text + "." + encode(self.private.sign(text.encode()))


class User:
    """A user of an account of an operator. `config` makes a server know them, and `credentials` is the text of a .creds file."""

    def __init__(self):
        operator, account, system, self.key = NatsKey(OPERATOR), NatsKey(ACCOUNT), NatsKey(ACCOUNT), NatsKey(USER)
        unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage",
                                   "streams", "consumer"), -1)
        accounts = ["%s: %s" % (one.public, operator.claim(one, "account", limits={**limits, "wildcards": True}))
                    for one, limits in ((account, unlimited), (system, {**unlimited, "mem_storage": 0, "disk_storage": 0}))]
        self.config = "operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s }\n" % (
            operator.claim(operator, "operator"), system.public, ", ".join(accounts))
        self.jwt = account.claim(self.key, "user", subs=-1, data=-1, payload=-1)
        self.credentials = "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n" \
                           "-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n" % (self.jwt, self.key.seed)


def make_certificates(folder):
    """Makes an authority in `folder`, a certificate of 127.0.0.1, one of another name, and one of a client. Returns an SSLContext of
    a client that trusts the authority."""
    def openssl(*words):
        done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stderr
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test CA",
            "-keyout", "ca.key", "-out", "ca.pem")
    for name, alternative in (("server", "IP:127.0.0.1"), ("other", "DNS:other.example"), ("client", "DNS:bridge.example")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                "-addext", "subjectAltName=" + alternative, "-keyout", name + ".key", "-out", name + ".csr")
        with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as file:
            file.write("subjectAltName=%s\n" % alternative)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", name + ".ext", "-out", name + ".pem")
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
    context.load_cert_chain(os.path.join(folder, "client.pem"), os.path.join(folder, "client.key"))
    return context
