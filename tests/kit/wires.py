"""Runs wire doors, and makes the certificates that they need."""

import contextlib
import csv
import datetime
import ipaddress
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
from types import SimpleNamespace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import sandbox, sp
from .stack import DEADLINE_S, free_port, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("SCREENING_WIRES", os.path.join(ROOT, "deploy/wires/wires"))
SERVICES = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc")
# The first bytes of a client that will send requests.
GREETING = b"\0SP\0" + struct.pack(">HH", sp.REQ, 0)
# Limits that no test reaches by its services.
WIDE = {"address_connections": 100000, "address_rate": 100000}

KEY_USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
            "crl_sign", "encipher_only", "decipher_only")


def write_private(path, content):
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    os.replace(path + ".new", path)


def pem_of(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Authority:
    """A certificate authority: `certificate` is its certificate and `crl` its list of revoked certificates, both files in `folder`."""

    def __init__(self, folder, name):
        self.certificate, self.crl = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".crl")
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key, self.revoked = ec.generate_private_key(ec.SECP256R1()), []
        signs = x509.KeyUsage(**{**dict.fromkeys(KEY_USES, False), "key_cert_sign": True, "crl_sign": True})
        made = (self._builder(self.name, self.key, 30).add_extension(signs, critical=True)
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True))
        write_private(self.certificate, made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, key, days):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=2))
                .not_valid_after(now + datetime.timedelta(days=days))
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False))

    def issue(self, path, common_name, names, days=30, usage=(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)):
        """Makes a file with a certificate and its key, valid for `days` from now; if negative, it has expired. `names` are DNS names
        and addresses of IPv4."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = (self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]), key, days)
                .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
                .add_extension(x509.SubjectAlternativeName([
                    x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names.split()]), critical=False))
        write_private(path, made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + pem_of(key))

    def revoke(self, *paths, lasts_s=86400):
        """Adds the certificates in these files to the list of revoked ones, and writes the list."""
        now = datetime.datetime.now(datetime.timezone.utc)
        for path in paths:
            with open(path, "rb") as file:
                self.revoked.append(x509.load_pem_x509_certificate(file.read()).serial_number)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(now).next_update(now + datetime.timedelta(seconds=lasts_s))
        for number in self.revoked:
            made = made.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build())
        write_private(self.crl, made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


class Pki:
    """The files of `screenctl pki init` that TLS needs."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700)
        self.services, self.clients = Authority(folder, "services-ca"), Authority(folder, "clients-ca")
        for service in SERVICES:
            os.mkdir(os.path.join(folder, service), 0o700)
            self.renew(service)

    def path(self, service, file):
        return os.path.join(self.folder, service, file)

    def renew(self, service):
        """Makes new keys and certificates for a service."""
        self.services.issue(self.path(service, "tls.pem"), service, service + " localhost")
        self.clients.issue(self.path(service, "client-tls.pem"), service, service + " localhost 127.0.0.1",
                           usage=(ExtendedKeyUsageOID.SERVER_AUTH,))

    def context(self, service=None, authority=None):
        """Returns the SSL context of a client that trusts `authority`, the services' one by default, and shows the certificate of
        `service`, if any."""
        context = ssl.create_default_context(cafile=(authority or self.services).certificate)
        if service:
            context.load_cert_chain(self.path(service, "tls.pem"))
        return context


@contextlib.contextmanager
def folder_with_pki():
    """Yields a folder for a test, and the files of `screenctl pki init` in it."""
    folder = tempfile.mkdtemp(prefix="screening-wires-", dir="/tmp")
    try:
        yield folder, Pki(os.path.join(folder, "pki"))
    finally:
        shutil.rmtree(folder)


class Made(Pki):
    """The files that `screenctl pki init` has made in the folder."""

    def __init__(self, folder):  # pylint: disable=super-init-not-called
        self.folder = folder
        self.services, self.clients = (SimpleNamespace(certificate=os.path.join(folder, name + ".pem")) for name in ("services-ca", "clients-ca"))

    def expire_list(self):
        """Writes a list of revoked certificates that has ended."""
        with open(self.services.certificate, "rb") as file, open(os.path.join(self.folder, "services-ca.key"), "rb") as key:
            issuer, signer = x509.load_pem_x509_certificate(file.read()), serialization.load_pem_private_key(key.read(), None)
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now - datetime.timedelta(days=2))
                .next_update(now - datetime.timedelta(days=1)).sign(signer, hashes.SHA256()))
        with open(os.path.join(self.folder, "services-ca.crl"), "wb") as file:
            file.write(made.public_bytes(serialization.Encoding.PEM))


class Wires:
    """Runs deploy/wires/wires for a service: `with Wires(pki, "booking-svc", rpc=..., to_rpc=...) as wires:`. The settings are the
    variables of its environment, in lower case and without WIRES_. `path("hospital.rpc")` is one of its sockets."""

    def __init__(self, pki, service, folder, files=None, **settings):
        self.pki, self.service, self.folder, self.files = pki, service, folder, files
        self.log_path = folder + ".log"
        self.settings = {"service": service, "pki": pki.folder, "folder": folder, **WIDE, **settings}
        self.process = None

    def environment(self):
        own = {key: value for key, value in os.environ.items() if not key.startswith("WIRES_")}
        own.update(("WIRES_" + name.upper(), str(value)) for name, value in self.settings.items())
        return own

    def run(self, *words):
        """Runs the script to its end. Returns the finished process with its output."""
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              env=self.environment(), stdin=subprocess.DEVNULL)

    def start(self):
        limited = ["prlimit", "--nofile=%d:%d" % (self.files, self.files)] if self.files else []
        begun_at = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*limited, *sandbox.words(sandbox.WIRES, sandbox.ALWAYS), PROGRAM], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment())

        def is_open():
            assert self.process.poll() is None, "the wire door ended with %d\n%s" % (self.process.returncode, self.log())
            return "Loading success" in self.log()[begun_at:]
        wait_for("the wire door is open", is_open)
        return self

    def renew(self):
        done = self.run("--renew")
        assert done.returncode == 0, (done.stdout, done.stderr)

    def kill(self):
        """Ends the door at once, with its workers."""
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def workers(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as children:
            return [int(pid) for pid in children.read().split()]

    def close(self, failed=False):
        if failed:
            print("---- the end of the log of %s's wire door\n%s" % (self.service, self.log()[-3000:]))
        while self.process is not None and self.process.poll() is None:
            self.process.terminate()  # HAProxy may lose a signal while it starts
            try:
                self.process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                pass

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.close(failed=kind is not None)

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def taken(self, port):
        """Returns how many connections the port ("clients") has taken since the door was started."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(DEADLINE_S)
            admin.connect(self.path("admin"))
            admin.sendall(b"show stat\n")
            text = b""
            while chunk := admin.recv(65536):
                text += chunk
        rows = csv.DictReader(text.decode().lstrip("# ").splitlines())
        return next(int(row["stot"]) for row in rows if row["pxname"] == port and row["svname"] == "FRONTEND")

    def path(self, name):
        return os.path.join(self.folder, name)

    def socket(self, name):
        return "ipc://" + self.path(name)


def doors_of(stack):
    """Returns the wire doors for the services of a stack: {name: door}."""
    pki = Pki(os.path.join(stack.folder, "pki"))
    ports = {name: {"rpc": free_address(), **({} if name == "history" else {"events": free_address()})}
             for name in stack.services if name != "gateway"}
    doors = {}
    for name, service in stack.services.items():
        settings = dict(ports.get(name, {}))
        settings.update(("to_" + kind, os.path.join(stack.folder, name + "." + kind)) for kind in ports.get(name, {}))
        if "gateway-listen" in service.flags:
            settings["to_gateway"] = os.path.join(stack.folder, name + ".gateway")
        if "client-listen" in service.flags:
            settings.update(clients=free_address(), to_clients=service.flags["client-listen"][len("tcp://"):])
        for other, kinds in ports.items():
            if other != name:
                settings.update((other + "_" + kind, address) for kind, address in kinds.items())
        doors[name] = Wires(pki, name + "-svc", os.path.join(stack.folder, "wires-" + name), **settings)
    return doors


def connect(address, context, name="localhost", source=""):
    """Returns a connection to HOST:PORT after the handshake, which checks that the certificate is for `name`."""
    host, _, port = address.rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=DEADLINE_S, source_address=(source, 0) if source else None)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def free_address():
    return "127.0.0.1:%d" % free_port()


def dials_in_vain(address):
    """Returns whether the door closes a connection to its socket because it does not accept the other side."""
    with sp.connect_plain(address, DEADLINE_S) as sock:
        try:
            sock.sendall(GREETING)
            return sock.recv(1) == b""
        except ConnectionError:
            return True
