"""Tests the token that screenctl sends: which file it reads, which files it refuses, and when it reads one again."""
import os
import subprocess
import tempfile
import uuid

from kit.deadline import DEADLINE_S
from kit.marks import once
from kit.rpc import FakeService, booking_pb2, event_pb2
from kit.screenctl import check_error
from kit.stack import program, wait_for

BOOKING = "018f0000-0000-7000-8000-00000000000a"


def answer(name, request):
    del request
    if name == "Fetch":
        return event_pb2.FetchResponse(log_id=str(uuid.UUID(int=7)), first_seq=1, head_seq=0)
    return booking_pb2.ListBookingsResponse()


class Place:
    """A folder with a home and a fake booking-svc that records what it receives."""

    def __enter__(self):
        self.kept = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.folder = self.kept.name
        self.service = FakeService("ipc://" + self.folder + "/rpc", answer)
        os.makedirs(self.folder + "/home/.config/screening")
        return self

    def __exit__(self, *_):
        self.service.close()
        self.kept.cleanup()

    def write(self, name, content, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
        os.rename(path + ".new", path)
        return path

    def start(self, *words, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SCREENING_"))}
        return subprocess.Popen([program("screenctl"), "--booking", self.service.address, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                                env=kept | {"LC_ALL": "C.UTF-8", "HOME": self.folder + "/home"} | environment)

    def run(self, *words, **environment):
        process = self.start(*words, **environment)
        out, error = process.communicate(timeout=DEADLINE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    def sent(self, *words, **environment):
        """Runs a command that makes one call. Returns the authorization that arrived."""
        before = len(self.service.envelopes)
        result = self.run(*words, "booking", "list", "--customer", "c", **environment)
        assert result.returncode == 0 and result.stderr == "", result
        (envelope,) = self.service.envelopes[before:]
        values = [entry.value for entry in envelope.metadata if entry.key == "authorization"]
        assert len(values) < 2
        return values[0] if values else None


@once
def test_screenctl_sends_the_token_of_the_option_then_of_the_environment_then_of_the_home(driver):
    del driver
    with Place() as place:
        named, other = place.write("a", b"aaa.bbb.ccc\n"), place.write("b", b"ddd.eee-_.fff")
        assert place.sent() is None
        assert place.sent("--token-file", named) == "Bearer aaa.bbb.ccc"
        assert place.sent(SCREENING_TOKEN_FILE=other) == "Bearer ddd.eee-_.fff"
        place.write("home/.config/screening/token", b"home\r\n")
        assert place.sent() == place.sent(SCREENING_TOKEN_FILE="") == "Bearer home"
        assert place.sent(SCREENING_TOKEN_FILE=other) == "Bearer ddd.eee-_.fff"
        assert place.sent("--token-file=" + named, SCREENING_TOKEN_FILE=other) == "Bearer aaa.bbb.ccc"
        assert place.sent("--token-file", "", SCREENING_TOKEN_FILE=other) is None


@once
def test_screenctl_refuses_a_token_file_that_others_can_read_or_that_is_none(driver):
    del driver
    with Place() as place:
        def refused(path, *words):
            for name, more, environment in (("--token-file", ("--token-file", path), {}),
                                            ("SCREENING_TOKEN_FILE", (), {"SCREENING_TOKEN_FILE": path})):
                for command in (("booking", "list", "--customer", "c"), ("events", "tail", "--log", "booking", "--once")):
                    result = place.run(*more, *command, **environment)
                    check_error(result, 1, "FAILED_PRECONDITION", name, path, *words)
                    assert "secret" not in result.stdout + result.stderr
        for mode in (0o640, 0o604, 0o620, 0o601, 0o777):
            refused(place.write("mode", b"secret.secret.secret", mode), "%04o" % mode)
        refused(place.folder + "/absent", "No such file")
        refused(place.folder, "regular file")
        os.mkfifo(place.folder + "/fifo", 0o600)
        refused(place.folder + "/fifo", "regular file")
        for content in (b"", b"\n", b"secret secret", b"secret\0", "secret\u00e9".encode(), b"secret\nX: y", b"\nsecret"):
            refused(place.write("content", content), "no token")
        refused(place.write("long", b"secret" * 2000), "8192")
        assert not place.service.envelopes
        # Without a name, the file may be absent, but not readable by others.
        place.write("home/.config/screening/token", b"secret", 0o644)
        check_error(place.run("booking", "list", "--customer", "c"), 1, "home/.config/screening/token", "0644")


@once
def test_screenctl_reads_the_token_again_when_the_file_changes(driver):
    del driver
    with Place() as place:
        path = place.write("token", b"first")

        def last():
            return [entry.value for envelope in place.service.envelopes[-1:] for entry in envelope.metadata
                    if entry.key == "authorization"]
        process = place.start("--token-file", path, "events", "tail", "--log", "booking", "--after", "booking:0")
        try:
            wait_for("the first token", lambda: last() == ["Bearer first"])
            place.write("token", b"later")
            wait_for("the later token", lambda: last() == ["Bearer later"])
            os.chmod(path, 0o644)
            out, error = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 1 and "0644" in error and out == "", (process.returncode, out, error)
        finally:
            process.kill()
            process.wait()
