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
from kit.pki import MODES, PROGRAMS, SECRET, SERVICES, done, every_file, made_pki, openssl, read_json, screenctl, verifies
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


def names_of(certificate):
    """Returns the names and addresses that the certificate is for."""
    with open(certificate, "rb") as file:
        names = x509.load_pem_x509_certificate(file.read()).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


@once
def test_pki_init_makes_certificates_for_their_purpose_and_names_only(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki = folder + "/pki"
        hosts = {name: ("%s.example" % name, "192.0.2.%d" % number, "2001:db8::%d" % number)
                 for number, name in enumerate((*SERVICES, "front"), 1)}
        words = [word for name in SERVICES for host in hosts[name] for word in ("--host", "%s=%s" % (name, host))]
        words += ["--host", hosts["front"][0], "--host", hosts["front"][1], "--host", "front=" + hosts["front"][2]]
        done("pki", "init", pki, *words, "--days", "30")
        services, clients = pki + "/services-ca.pem", pki + "/clients-ca.pem"
        for name in SERVICES:
            inner, outer = "%s/%s/tls.pem" % (pki, name), "%s/%s/client-tls.pem" % (pki, name)
            for purpose in ("sslserver", "sslclient"):
                assert verifies(inner, services, "-purpose", purpose)
            assert verifies(outer, clients, "-purpose", "sslserver")
            assert not verifies(outer, clients, "-purpose", "sslclient")  # it opens no door to the services
            assert not verifies(inner, clients) and not verifies(outer, services)
            for certificate, authority in ((inner, services), (outer, clients)):
                assert verifies(certificate, authority, "-verify_hostname", name) and verifies(certificate, authority, "-verify_ip", "::1")
                assert names_of(certificate) == {name, "localhost", "127.0.0.1", "::1", *hosts[name]}
                now = int(time.time())
                assert verifies(certificate, authority, "-attime", str(now + 29 * 86400))
                assert not verifies(certificate, authority, "-attime", str(now + 31 * 86400))
            assert openssl("x509", "-in", inner, "-noout", "-subject", "-nameopt", "RFC2253") == "subject=CN=%s\n" % name
        assert verifies(pki + "/front/tls.pem", clients, "-purpose", "sslserver", "-verify_hostname", "front")
        assert names_of(pki + "/front/tls.pem") == {"front", "localhost", "127.0.0.1", "::1", *hosts["front"]}
        assert not verifies(pki + "/hospital-svc/tls.pem", pki + "/booking-svc/tls.pem", "-partial_chain")  # signs nothing


@once
def test_pki_init_gives_no_certificate_the_name_of_another(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        for host, said in (("gateway-svc", "only the certificate of gateway-svc"), ("booking-svc=hospital-svc", "only the certificate of hospital-svc"),
                           ("booking-svc=Front", "only the certificate of Front"), ("other-svc=a", "before the ="), ("=a", "before the ="),
                           ("booking-svc=", "DNS name"), ("booking-svc=front=a", "DNS name"), ("booking-svc=a,DNS:gateway-svc", "DNS name")):
            check_error(screenctl("pki", "init", folder + "/pki", "--host", host), 2, "--host " + host, said)
        assert os.listdir(folder) == []
        done("pki", "init", folder + "/pki", "--host", "booking-svc=booking-svc", "--host", "front=front")  # they have it anyway


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
        for name in ("screening", *PROGRAMS):
            private = read_json(pki, name + (".key.json" if name == "screening" else "/token.key.json"))
            public = read_json(pki, name + ".jwks.json")["keys"]
            assert public == [{member: value for member, value in private.items() if member != "d"}]
            assert public[0]["alg"] == "ES256" and public[0]["use"] == "sig"
            keys.append(jwt.public_pem(public[0]))
        assert len(set(keys)) == len(keys) == 9 + 2 + 6


@once
def test_pki_init_lists_the_issuers_for_the_services(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        done("pki", "init", folder + "/pki")
        people, *services = read_json(folder, "pki/issuers.json")["issuers"]
        assert people == {"issuer": "screening", "audience": "screening", "keys": "screening.jwks.json", "scope_claim": "hospitals",
                          "roles": {"claim": "role", "values": {r: r for r in ("customer", "staff", "admin", "auditor")}}}
        assert services == [{"issuer": name, "audience": "@program", "keys": name + ".jwks.json", "roles": {"always": "service"}}
                            for name in PROGRAMS]


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
        done("pki", "init", pki, "--host", "booking-svc=clinic.example", "--days", "30")
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


def revoked(crl):
    with open(crl, "rb") as file:
        content = x509.load_pem_x509_crl(file.read())
    return content, {entry.serial_number for entry in content}


def serial(certificate):
    return int(openssl("x509", "-in", certificate, "-noout", "-serial").strip().partition("=")[2], 16)


@once
def test_pki_revoke_lists_certificates_and_keeps_earlier_ones(driver):
    del driver
    with made_pki() as (folder, pki):
        crl, authority = pki + "/services-ca.crl", pki + "/services-ca.pem"

        def stands(path):
            return verifies(path, authority, "-crl_check", "-CRLfile", crl)
        shutil.copy(pki + "/booking-svc/tls.pem", folder + "/stolen.pem")
        shutil.copy(pki + "/hospital-svc/tls.pem", folder + "/earlier.pem")
        assert json.loads(done("--json", "pki", "revoke", pki, "booking-svc", "--days", "30")) == {"revoked": 1, "days": 30}
        assert every_file(pki) == MODES | {"services-ca.crl": 0o644}
        assert not stands(folder + "/stolen.pem") and stands(pki + "/hospital-svc/tls.pem")
        # Certificates made later are valid, and an earlier one is revoked by its file.
        done("pki", "renew", pki, "--days", "40")
        assert stands(pki + "/booking-svc/tls.pem") and stands(folder + "/earlier.pem") and not stands(folder + "/stolen.pem")
        assert "lists 2 certificates" in done("pki", "revoke", pki, "hospital-svc", "--certificate", folder + "/earlier.pem", "--days", "50")
        assert not stands(folder + "/earlier.pem") and not stands(folder + "/stolen.pem") and stands(pki + "/hospital-svc/tls.pem")
        both = {serial(folder + "/earlier.pem"), serial(folder + "/stolen.pem")}
        assert "lists 2 certificates" in done("pki", "revoke", pki, "booking-svc", "--certificate", folder + "/stolen.pem")
        content, listed = revoked(crl)
        assert listed == both and len(list(content)) == 2
        # Each list is newer than the last one, and ends.
        numbers = [content.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number]
        done("pki", "renew", pki, "--service", "front", "--days", "60")
        content, listed = revoked(crl)
        numbers.append(content.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        assert listed == both and numbers == [4, 5], numbers
        now = int(time.time())
        for path in (pki + "/booking-svc/tls.pem", pki + "/front/tls.pem"):
            assert verifies(path, pki + ("/clients-ca.pem" if "front" in path else "/services-ca.pem"), "-attime", str(now))
        assert stands(pki + "/booking-svc/tls.pem")
        assert verifies(pki + "/history-svc/tls.pem", authority, "-crl_check", "-CRLfile", crl, "-attime", str(now + 39 * 86400))
        done("pki", "renew", pki, "--days", "90")
        done("pki", "renew", pki, "--service", "front", "--days", "7")  # which does not shorten the list
        assert verifies(pki + "/history-svc/tls.pem", authority, "-crl_check", "-CRLfile", crl, "-attime", str(now + 89 * 86400))
        done("pki", "revoke", pki, "gateway-svc", "--days", "7")
        assert not verifies(pki + "/history-svc/tls.pem", authority, "-crl_check", "-CRLfile", crl, "-attime", str(now + 8 * 86400))
        shown = [entry for entry in json.loads(done("--json", "pki", "show", pki))["entries"] if entry["file"] == "services-ca.crl"]
        assert len(shown) == 1 and shown[0]["expiresSoon"] and shown[0]["subject"] == "3", shown
        assert "expires in" in done("pki", "show", pki)


@once
def test_pki_revoke_refuses_what_it_cannot_revoke(driver):
    del driver
    with made_pki() as (folder, pki):
        done("pki", "init", folder + "/other")
        check_error(screenctl("pki", "revoke", pki, "front"), 2, "SERVICE front")
        check_error(screenctl("pki", "revoke", pki, "booking-svc", "--days", "0"), 2, "--days 0")
        for name, path in (("booking-svc", "pki/hospital-svc/tls.pem"), ("booking-svc", "other/booking-svc/tls.pem"),
                           ("booking-svc", "pki/booking-svc/client-tls.pem"), ("booking-svc", "pki/issuers.json"), ("booking-svc", "absent")):
            check_error(screenctl("pki", "revoke", pki, name, "--certificate", "%s/%s" % (folder, path)), 1, path)
        crl = pki + "/services-ca.crl"
        assert not os.path.exists(crl)
        # A list that cannot be kept is not replaced.
        done("pki", "revoke", folder + "/other", "booking-svc")
        for content in ("", "nothing", open(folder + "/other/services-ca.crl", encoding="ascii").read()):
            with open(crl, "w", encoding="ascii") as file:
                file.write(content)
            for words in (("pki", "revoke", pki, "booking-svc"), ("pki", "renew", pki)):
                check_error(screenctl(*words), 1, crl)
            with open(crl, encoding="ascii") as file:
                assert file.read() == content


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
        assert len(entries) == 2 + 9 + 7
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
