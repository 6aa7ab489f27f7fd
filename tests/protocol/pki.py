"""Tests screenctl's certificates against the program openssl, and the files of an installation. No service runs."""
import datetime
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kit import jwt
from kit.marks import once
from kit.pki import MODES, SECRET, SERVICES, done, every_file, made_pki, openssl, read_json, screenctl, verifies
from kit.screenctl import check_error
from kit.stack import is_sanitized, program, wait_for


@once
def test_pki_init_makes_the_files_with_the_modes_of_secrets(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        for umask in (0o000, 0o077):  # the modes do not depend on it
            pki = "%s/pki%o" % (folder, umask)
            done("pki", "init", pki + "/", umask=umask)
            assert every_file(pki) == MODES
        assert sorted(os.listdir(folder)) == ["pki0", "pki77"]


@once
def test_pki_init_makes_certificates_for_their_purpose_and_names_only(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki = folder + "/pki"
        done("pki", "init", pki, "--host", "clinic.example", "--host", "192.0.2.7", "--host", "2001:db8::7", "--days", "30")
        services, clients = pki + "/services-ca.pem", pki + "/clients-ca.pem"
        for name in SERVICES:
            inner, outer = "%s/%s/tls.pem" % (pki, name), "%s/%s/client-tls.pem" % (pki, name)
            for purpose in ("sslserver", "sslclient"):
                assert verifies(inner, services, "-purpose", purpose)
            assert verifies(outer, clients, "-purpose", "sslserver")
            assert not verifies(outer, clients, "-purpose", "sslclient")  # it opens no door to the services
            assert not verifies(inner, clients) and not verifies(outer, services)
            for certificate, authority in ((inner, services), (outer, clients)):
                for host in (name, "localhost", "clinic.example"):
                    assert verifies(certificate, authority, "-verify_hostname", host), host
                for address in ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"):
                    assert verifies(certificate, authority, "-verify_ip", address), address
                assert not verifies(certificate, authority, "-verify_hostname", "other.example")
                assert not verifies(certificate, authority, "-verify_ip", "192.0.2.8")
                now = int(time.time())
                assert verifies(certificate, authority, "-attime", str(now + 29 * 86400))
                assert not verifies(certificate, authority, "-attime", str(now + 31 * 86400))
            assert openssl("x509", "-in", inner, "-noout", "-subject", "-nameopt", "RFC2253") == "subject=CN=%s\n" % name
        assert verifies(pki + "/front/tls.pem", clients, "-purpose", "sslserver", "-verify_hostname", "front")
        assert not verifies(pki + "/hospital-svc/tls.pem", pki + "/booking-svc/tls.pem", "-partial_chain")  # signs nothing


@once
def test_pki_init_every_key_is_its_own_and_belongs_to_its_certificate(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki, keys = folder + "/pki", []
        done("pki", "init", pki)
        for path in sorted(SECRET):
            if path.endswith(".pem"):
                inside = openssl("pkey", "-in", "%s/%s" % (pki, path), "-pubout")
                keys.append(inside)
                assert inside == openssl("x509", "-in", "%s/%s" % (pki, path), "-noout", "-pubkey")
                apart = path.replace(".pem", ".key")
                assert path.startswith("front/") or inside == openssl("pkey", "-in", "%s/%s" % (pki, apart), "-pubout")
        for name in ("services-ca", "clients-ca"):
            keys.append(openssl("pkey", "-in", "%s/%s.key" % (pki, name), "-pubout"))
            assert keys[-1] == openssl("x509", "-in", "%s/%s.pem" % (pki, name), "-noout", "-pubkey")
        for name in ("screening", *SERVICES):
            private = read_json(pki, name + (".key.json" if name == "screening" else "/token.key.json"))
            public = read_json(pki, name + ".jwks.json")["keys"]
            assert public == [{member: value for member, value in private.items() if member != "d"}]
            assert public[0]["alg"] == "ES256" and public[0]["use"] == "sig"
            keys.append(jwt.public_pem(public[0]))
        assert len(set(keys)) == len(keys) == 9 + 2 + 5


@once
def test_pki_init_lists_the_issuers_for_the_services(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        done("pki", "init", folder + "/pki")
        people, *services = read_json(folder, "pki/issuers.json")["issuers"]
        assert people == {"issuer": "screening", "audience": "screening", "keys": "screening.jwks.json", "scope_claim": "hospitals",
                          "roles": {"claim": "role", "values": {r: r for r in ("customer", "staff", "admin", "auditor")}}}
        assert services == [{"issuer": name, "audience": "@program", "keys": name + ".jwks.json", "roles": {"always": "service"}}
                            for name in SERVICES]


@once
def test_pki_init_never_overwrites(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki = folder + "/pki"
        os.mkdir(pki)
        done("pki", "init", pki)  # an empty folder is allowed
        before = {path: os.stat(pki + "/" + path).st_mtime_ns for path in MODES}
        check_error(screenctl("pki", "init", pki), 1, "FAILED_PRECONDITION", pki + "/", "exists")
        assert before == {path: os.stat(pki + "/" + path).st_mtime_ns for path in MODES}
        with open(folder + "/file", "w", encoding="ascii"):
            pass
        check_error(screenctl("pki", "init", folder + "/file"), 1, folder + "/file")
        check_error(screenctl("pki", "init", folder + "/absent/pki"), 1, folder + "/absent/pki")
        assert sorted(os.listdir(folder)) == ["file", "pki"]


def limited(bytes_max):
    """Returns what a child runs before screenctl: no file may grow beyond `bytes_max`."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))


@once
def test_pki_init_that_is_interrupted_leaves_no_folder(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki = folder + "/pki"
        for bytes_max in (0, 600, 900):  # no file, the first ones, all but the certificates of the services
            # Without the signal, the write fails. screenctl then says so and leaves nothing.
            check_error(screenctl("pki", "init", pki, preexec_fn=limited(bytes_max), restore_signals=False), 1, pki + ".", "large")
            assert os.listdir(folder) == []
            # With the signal, the process ends where it stands.
            assert screenctl("pki", "init", pki, preexec_fn=limited(bytes_max)).returncode == -signal.SIGXFSZ
            left = os.listdir(folder)
            assert len(left) == 1 or (left == [] and is_sanitized())  # a sanitizer may write a file earlier than the program
            for beside in left:
                assert beside.startswith("pki.") and stat.S_IMODE(os.stat(folder + "/" + beside).st_mode) == 0o700
                shutil.rmtree(folder + "/" + beside)
        # Killed at any moment, the folder is absent or complete.
        for delay_ms in range(0, 1000, 2):
            process = subprocess.Popen([program("screenctl"), "pki", "init", pki], stdout=subprocess.DEVNULL)
            time.sleep(delay_ms / 1000)
            process.kill()
            process.wait()
            if os.path.exists(pki):
                break
        else:
            done("pki", "init", pki)
        assert every_file(pki) == MODES


@once
def test_pki_renew_replaces_certificates_whole_and_keeps_their_names(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki, seen, stop = folder + "/pki", set(), threading.Event()
        done("pki", "init", pki, "--host", "clinic.example", "--days", "30")
        path = pki + "/booking-svc/tls.pem"

        def read():
            while not stop.is_set():
                with open(path, "rb") as file:
                    seen.add(file.read())
        reader = threading.Thread(target=read)
        reader.start()
        try:
            for _ in range(20):
                done("pki", "renew", pki, "--service", "booking-svc", "--days", "60")
                with open(path, "rb") as file:
                    renewed = file.read()
                wait_for("the reader has seen it", lambda: renewed in seen)  # pylint: disable=cell-var-from-loop
        finally:
            stop.set()
            reader.join()
        assert len(seen) == 21 or len(seen) == 20  # the first one may have been replaced before the reader began
        for number, content in enumerate(seen):
            copy = "%s/%d" % (folder, number)
            with open(copy, "wb") as file:
                file.write(content)
            assert openssl("pkey", "-in", copy, "-pubout") == openssl("x509", "-in", copy, "-noout", "-pubkey")
            assert verifies(copy, pki + "/services-ca.pem", "-verify_hostname", "clinic.example")
        assert every_file(pki) == MODES
        assert openssl("pkey", "-in", path, "-pubout") == openssl("pkey", "-in", pki + "/booking-svc/tls.key", "-pubout")
        assert not openssl("x509", "-in", path, "-noout", "-checkend", str(59 * 86400)).startswith("Certificate will expire")
        others = {name: os.stat("%s/%s/tls.pem" % (pki, name)).st_ino for name in ("hospital-svc", "front")}
        done("pki", "renew", pki, "--service", "front")
        assert os.stat(pki + "/hospital-svc/tls.pem").st_ino == others["hospital-svc"]
        assert os.stat(pki + "/front/tls.pem").st_ino != others["front"]
        serials = {openssl("x509", "-in", "%s/%s/tls.pem" % (pki, name), "-noout", "-serial") for name in SERVICES}
        assert json.loads(done("--json", "pki", "renew", pki)) == {"certificates": 9, "days": 365}
        assert not serials & {openssl("x509", "-in", "%s/%s/tls.pem" % (pki, name), "-noout", "-serial") for name in SERVICES}


@once
def test_pki_renew_never_outlives_its_authority_and_needs_its_key(driver):
    del driver
    with made_pki() as (_, pki):
        services = pki + "/services-ca"
        with open(services + ".key", "rb") as file:
            key = file.read()
        openssl("req", "-x509", "-key", services + ".key", "-subj", "/CN=short", "-days", "9",
                "-addext", "keyUsage=critical,keyCertSign", "-out", services + ".pem")
        check_error(screenctl("pki", "renew", pki, "--days", "10"), 1, "--days 10", services + ".pem")
        done("pki", "renew", pki, "--days", "8")
        assert verifies(pki + "/history-svc/tls.pem", services + ".pem")
        os.chmod(services + ".key", 0o640)
        check_error(screenctl("pki", "renew", pki, "--days", "8"), 1, services + ".key", "0640")
        os.chmod(services + ".key", 0o600)
        shutil.copy(pki + "/clients-ca.key", services + ".key")
        check_error(screenctl("pki", "renew", pki, "--days", "8"), 1, services + ".key", services + ".pem")
        for content in (b"", b"-----BEGIN", key[:-40]):
            with open(services + ".key", "wb") as file:
                file.write(content)
            check_error(screenctl("pki", "renew", pki, "--days", "8"), 1, services + ".key")
        os.unlink(services + ".key")
        check_error(screenctl("pki", "renew", pki, "--days", "8"), 1, services + ".key")


def write_expired(path):
    """Writes a certificate that has expired."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1))
    with open(path, "wb") as file:
        file.write(certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


@once
def test_pki_show_lists_everything_and_marks_what_expires_soon(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki = folder + "/pki"
        done("pki", "init", pki, "--days", "31")
        done("pki", "renew", pki, "--service", "front", "--days", "29")
        done("keys", "rotate", pki, "--issuer")
        entries = json.loads(done("--json", "pki", "show", pki))["entries"]
        assert [entry["file"] for entry in entries if entry["expiresSoon"]] == ["front/tls.pem"]
        assert len(entries) == 2 + 9 + 6
        for entry in entries:
            if entry["file"].endswith(".pem"):
                path = "%s/%s" % (pki, entry["file"])
                assert openssl("x509", "-in", path, "-noout", "-subject", "-nameopt", "RFC2253") == "subject=CN=%s\n" % entry["subject"]
                end = openssl("x509", "-in", path, "-noout", "-enddate", "-dateopt", "iso_8601").strip().partition("=")[2]
                assert end.replace(" ", "T").replace("Z", ".000000Z") == entry["expires"], (end, entry)
                identifier = openssl("x509", "-in", path, "-noout", "-ext", "subjectKeyIdentifier").split()[-1]
                assert identifier.replace(":", "").lower() == entry["keyId"]
            else:
                assert (entry["expires"] is None) == (entry["keyId"] == read_json(pki, entry["file"])["keys"][0]["kid"])
        text = done("pki", "show", pki)
        assert len(text.splitlines()) == 1 + len(entries) and text.count("expires in") == 1
        done("pki", "renew", pki, "--service", "front", "--days", "2")
        assert re.search(r"expires in (1 day|2 days)( |$)", done("pki", "show", pki), re.M)
        write_expired(pki + "/clients-ca.pem")
        lines = [line for line in done("pki", "show", pki).splitlines() if line.startswith("clients-ca.pem")]
        assert len(lines) == 1 and re.search(r"\bold\b.* expired$", lines[0]), lines
        shutil.rmtree(pki + "/front")  # on another host
        assert len(json.loads(done("--json", "pki", "show", pki))["entries"]) == len(entries) - 1
        os.mkdir(folder + "/empty")
        check_error(screenctl("pki", "show", folder + "/empty"), 1, "NOT_FOUND", folder + "/empty")
        with open(pki + "/services-ca.pem", "w", encoding="ascii") as file:
            file.write("nothing")
        check_error(screenctl("pki", "show", pki), 1, pki + "/services-ca.pem")
