"""Tests the files that `cmake --install` installs, and the two example clients, in folders that do not refer to this repository.

With SCREENING_FULL=1, a client's server is restarted 1,000 times instead of 20."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from kit import credentials, rpc
from kit.marks import once
from kit.rpc import FakeService, types_pb2
from kit.stack import BUILD, DEADLINE_S, Stack, free_port, wait_for
from kit.wires import Pki, Wires
from kit.world import CANCELLED, day, register, remaining, status_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "docs", "examples")
PROGRAMS = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc", "screenctl")
COMPILER = ("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
COMPILER_CPP = ("c++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
RESTARTS = 1000 if os.environ.get("SCREENING_FULL") == "1" else 20
OPEN, CLOSED = 1, 3  # days from today: the clinic is open tomorrow, but not in three days


def run(*words, folder, environment=None):
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=folder,
                          stdin=subprocess.DEVNULL, env=environment)


def output(*words, folder, environment=None):
    """Runs a command and returns its output. The command must exit with 0."""
    result = run(*words, folder=folder, environment=environment)
    assert result.returncode == 0, result
    return result.stdout


class EmptyFolder(tempfile.TemporaryDirectory):
    def __init__(self):
        super().__init__(prefix="screening-install-", dir="/tmp")


def install(folder):
    """Installs the build and moves the result, because no installed file may depend on its location. Returns the prefix."""
    first, prefix = os.path.join(folder, "first"), os.path.join(folder, "prefix")
    output("cmake", "--install", BUILD, "--prefix", first, folder=folder)
    os.rename(first, prefix)
    return prefix


def find(prefix, name):
    (path,) = glob.glob(os.path.join(prefix, "lib", "**", name), recursive=True)
    return path


def client_flags(prefix, *more):
    """Returns the compiler flags of the client library, as pkg-config prints them."""
    folder = os.path.dirname(find(prefix, "screening-client.pc"))
    return output("pkg-config", "--cflags", "--libs", *more, "screening-client", folder=prefix,
                  environment={**os.environ, "PKG_CONFIG_PATH": folder}).split()


def shared_flags(prefix):
    return [*client_flags(prefix), "-Wl,-rpath," + os.path.dirname(find(prefix, "libscreening-client.so"))]


def static_flags(prefix):
    """Returns the compiler flags with the static library instead of the shared library."""
    archive = find(prefix, "libscreening-client.a")
    return [archive if flag == "-lscreening-client" else flag for flag in client_flags(prefix, "--static")]


def tcp_stack(driver):
    """Returns a stack with hospital-svc and booking-svc. As in production, booking-svc listens for clients on TCP."""
    return Stack(driver, without=("history",), flags={"booking": {"client-listen": "tcp://127.0.0.1:%d" % free_port()}})


def check_client(driver, folder, *client):
    """Checks that the client books, looks up and cancels. After a refusal it must print the reason on one line and exit with 1."""
    with tcp_stack(driver) as stack:
        hospital_id = register(stack, capacity=3, days=(OPEN,))
        said = output(*client, stack.booking_svc.rpc, hospital_id, day(OPEN), folder=folder)
        lines = re.findall(r"^(\w+): booking ([0-9a-f-]{36}) is (\w+)$", said, re.M)
        assert [(method, status) for method, _, status in lines] == [
            ("CreateBooking", "CONFIRMED"), ("GetBooking", "CONFIRMED"), ("CancelBooking", "CANCELLED")], said
        (booking_id,) = {booking for _, booking, _ in lines}
        assert status_of(stack, booking_id) == CANCELLED
        assert stack.booking.GetBooking(booking_id=booking_id).message.customer_name == "김하늘"
        wait_for("the place is free again", lambda: remaining(stack, hospital_id, OPEN) == 3)

        refused = run(*client, stack.booking_svc.rpc, hospital_id, day(CLOSED), folder=folder)
        assert refused.returncode == 1 and refused.stdout == "", refused
        assert len(refused.stderr.splitlines()) == 1 and "CreateBooking: " in refused.stderr, refused
        assert " DATE_NOT_OPEN: " in refused.stderr, refused


@once
def test_install_headers_protos_and_programs_stand_alone(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        include = os.path.join(prefix, "include", "screening")
        headers = glob.glob(os.path.join(include, "**", "*.h"), recursive=True)
        names = {os.path.relpath(path, include) for path in headers}
        assert names >= {"screening/client.h", "screening/client_version.h", "screening/v1/booking.pb-c.h", "screening/v1/words.h"}, names
        flags = [flag for flag in client_flags(prefix) if flag.startswith("-I")]
        with open(os.path.join(folder, "unit.c"), "w", encoding="utf-8") as file:
            file.write("int main(void)\n{\n    return 0;\n}\n")
        for header in headers:
            for compiler, language in ((COMPILER, "c"), (COMPILER_CPP, "c++")):
                output(*compiler, *flags, "-fsyntax-only", "-include", header, "-x", language, "unit.c", folder=folder)

        protos = os.path.join(prefix, "share", "screening", "proto")
        files = glob.glob(os.path.join(protos, "**", "*.proto"), recursive=True)
        assert {"booking.proto", "envelope.proto", "health.proto"} <= {os.path.basename(file) for file in files}, files
        output("protoc", "-I" + protos, "--descriptor_set_out=all", *files, folder=folder)
        for program in PROGRAMS:
            output(os.path.join(prefix, "bin", program), "--version", folder=folder)
        output(os.path.join(prefix, "share/screening/front/front"), "--check", folder=folder)


@once
def test_install_nothing_points_back(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        flags = " ".join(client_flags(prefix))
        assert ROOT not in flags and BUILD not in flags and folder + "/first" not in flags, flags
        for path in glob.glob(os.path.join(prefix, "**", "*"), recursive=True):
            if path.endswith((".h", ".pc", ".proto", ".cmake")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                assert ROOT not in text and BUILD not in text and folder not in text, path


@once
def test_install_needs_no_more_than_the_documented_build(driver):
    """./demo makes the build that README.md describes. Everything that is installed must come from the targets of that build."""
    del driver
    with open(os.path.join(ROOT, "demo"), encoding="utf-8") as file:
        targets = re.search(r"build_release (.+)", file.read())[1].split()
    with EmptyFolder() as folder:
        output("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", folder=folder)
        commands = output("ninja", "-t", "commands", *targets, folder=folder)
        wanted = set()
        for path in glob.glob(os.path.join(folder, "**", "cmake_install.cmake"), recursive=True):
            with open(path, encoding="utf-8") as file:
                wanted |= set(re.findall(r'"%s/([^"$]+)"' % re.escape(folder), file.read()))
        wanted = {name for name in wanted if not os.path.exists(os.path.join(folder, name))}  # configuring creates some files
        assert {"lib/client/libscreening-client.a", "cli/screenctl"} <= wanted, wanted
        missing = {name for name in wanted if name not in commands}
        assert not missing, (missing, targets)


@once
def test_c_client_on_the_installed_library(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        shutil.copy(os.path.join(EXAMPLES, "client.c"), folder)
        output(*COMPILER, "client.c", "-o", "client", *shared_flags(prefix), folder=folder)
        check_client(driver, folder, "./client")
        output(*COMPILER, "client.c", "-o", "static", *static_flags(prefix), folder=folder)
        assert "screening-client" not in output("ldd", "./static", folder=folder)
        check_client(driver, folder, "./static")
        wrong = run("./client", folder=folder)
        assert wrong.returncode == 2 and wrong.stderr.startswith("usage: "), wrong


@once
def test_cpp_client_and_cmake_package_on_the_installed_library(driver):
    with EmptyFolder() as folder:
        prefix = install(folder)
        with open(os.path.join(EXAMPLES, "client.c"), encoding="utf-8") as file:
            # In C++, a string literal is const.
            text = re.sub(r'= ("[^"]+");', r"= const_cast<char *>(\1);", file.read())
        with open(os.path.join(folder, "client.cpp"), "w", encoding="utf-8") as file:
            file.write(text)
        with open(os.path.join(folder, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write("""cmake_minimum_required(VERSION 3.25)
project(customer LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(screening 0.1 REQUIRED)
add_executable(shared client.cpp)
target_link_libraries(shared PRIVATE screening::client)
add_executable(static client.cpp)
target_link_libraries(static PRIVATE screening::client_static)
""")
        flags = [flag for flag in client_flags(prefix) if flag.startswith("-fsanitize")]
        output("cmake", "-S", ".", "-B", "build", "-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_CXX_FLAGS=" + " ".join(flags), folder=folder)
        output("cmake", "--build", "build", folder=folder)
        check_client(driver, folder, "build/shared")
        check_client(driver, folder, "build/static")


PUBLIC_NAME = re.compile(r"screening_[a-z_]|google__protobuf__timestamp__|SCREENING_CLIENT_")


@once
def test_installed_library_exports_its_own_names_only(driver):
    """Neither library defines a name of the C library, or a name that a program may define itself."""
    del driver
    with EmptyFolder() as folder:
        prefix = install(folder)
        for options, name in ((("-D",), "libscreening-client.so"), ((), "libscreening-client.a")):
            lines = output("nm", *options, "--defined-only", "--extern-only", find(prefix, name), folder=folder).splitlines()
            names = {line.split()[-1].split("@")[0] for line in lines if len(line.split()) == 3}
            # A sanitizer's runtime is not part of the library.
            names = {one for one in names if not one.startswith(("__asan", "__odr_asan", "__ubsan", "__tsan"))}
            assert "screening_create_booking" in names
            assert not [one for one in names if not PUBLIC_NAME.match(one)], (name, names)
        dynamic = output("readelf", "--dynamic", find(prefix, "libscreening-client.so"), folder=folder)
        assert re.search(r"SONAME.*\[libscreening-client\.so\.0\]", dynamic), dynamic
        assert "libnng" not in dynamic


@once
def test_every_public_method_has_a_typed_call(driver):
    del driver
    with open(os.path.join(ROOT, "lib/client/client.h"), encoding="utf-8") as file:
        calls = set(re.findall(r"^enum screening_code (\w+)\(struct screening_client", file.read(), re.M))
    for name in ("hospital", "booking", "history", "event"):
        with open(os.path.join(ROOT, "proto/screening/v1", name + ".proto"), encoding="utf-8") as file:
            text = re.search(r"^service .*?^}", file.read(), re.M | re.S)[0]
        for comment, method in re.findall(r"((?:^  //.*\n)*)^  rpc (\w+)", text, re.M):
            call = "screening" + re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), method)
            internal = re.search(r"// For [a-z-]+(?: and [a-z-]+)? only", comment) is not None
            assert (call in calls) != internal, (method, "internal" if internal else "public")


class Caller:
    """Runs the program built from caller.c, which makes one call for each line that it reads."""

    def __init__(self, folder, address, hospital_id, *more):
        self.process = subprocess.Popen(["./caller", address, hospital_id, *more], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        assert self.process.stdout.readline() == "processors %d\n" % os.sysconf("SC_NPROCESSORS_ONLN")

    def begin(self):
        self.process.stdin.write("call\n")
        self.process.stdin.flush()

    def outcome(self):
        return self.process.stdout.readline().split()

    def call(self):
        self.begin()
        return self.outcome()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=DEADLINE_S) == 0


def build_caller(folder):
    prefix = install(folder)
    shutil.copy(os.path.join(ROOT, "tests/install/caller.c"), folder)
    output(*COMPILER, "-D_GNU_SOURCE", "caller.c", "-o", "caller", *shared_flags(prefix), folder=folder)


@once
def test_c_client_outlives_restarts_of_its_server(driver):
    address = "tcp://127.0.0.1:%d" % free_port()
    with EmptyFolder() as folder, Stack(driver, without=("booking", "history"), flags={"hospital": {"client-listen": address}}) as stack:
        build_caller(folder)
        hospital_id = register(stack)
        caller = Caller(folder, address, hospital_id, credentials.current().person_file)
        for number in range(RESTARTS):
            stack.hospital_svc.kill()
            if number % 2:
                caller.begin()  # while no server listens
            stack.hospital_svc.spawn()
            if number % 2 == 0:
                caller.begin()
            outcome = caller.outcome()
            # A call to a starting server may have lost its connection. The next call finds the server.
            while outcome[:2] == ["UNAVAILABLE", "1"]:
                caller.begin()
                outcome = caller.outcome()
            assert outcome[0] == "OK", (number, outcome)
        caller.end()
        stack.hospital_svc.wait_ready()


@once
def test_c_client_says_when_the_outcome_is_unknown(driver):
    address = "tcp://127.0.0.1:%d" % free_port()
    with EmptyFolder() as folder, Stack(driver, without=("booking", "history"), flags={"hospital": {"client-listen": address}}) as stack:
        build_caller(folder)
        caller = Caller(folder, address, register(stack), credentials.current().person_file)
        caller.begin()
        assert caller.outcome()[0] == "OK"
        stack.hospital_svc.pause()
        caller.begin()
        port = address.rsplit(":", 1)[1]

        def has_arrived():
            waiting = output("ss", "-Htn", "sport = :" + port, folder=folder).splitlines()
            return any(int(line.split()[1]) > 0 for line in waiting)
        wait_for("the request has arrived at the process that stands", has_arrived)
        stack.hospital_svc.kill()
        assert caller.outcome() == ["UNAVAILABLE", "1"]
        stack.hospital_svc.start()
        caller.begin()
        assert caller.outcome()[0] == "OK"
        caller.end()


@once
def test_c_client_sends_the_token_of_its_file_and_reads_it_again(driver):
    del driver
    with EmptyFolder() as folder:
        build_caller(folder)
        service = FakeService("ipc://%s/rpc" % folder, lambda name, request: types_pb2.Hospital(hospital_id=request.hospital_id))
        path, next_path = os.path.join(folder, "token"), os.path.join(folder, "token.new")
        caller = Caller(folder, service.address, rpc.new_id(), path)
        assert caller.call()[:2] == ["FAILED_PRECONDITION", "0"]  # there is no file yet
        for content, mode in (("first.token.x", 0o600), ("later.token.x", 0o400), ("short", 0o600), ("short", 0o644), ("again", 0o600)):
            with open(next_path, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content + "\n")
            os.rename(next_path, path)
            before, outcome = len(service.envelopes), caller.call()
            if mode == 0o644:
                assert outcome[:2] == ["FAILED_PRECONDITION", "0"] and "0644:" in outcome and path + ":" in outcome, outcome
                assert len(service.envelopes) == before
            else:
                assert outcome == ["OK", "1"], outcome
                (entry,) = service.envelopes[before].metadata
                assert (entry.key, entry.value) == ("authorization", "Bearer " + content)
        caller.end()
        service.close()


@once
def test_c_client_calls_over_tls(driver):
    del driver
    with EmptyFolder() as folder:
        build_caller(folder)
        pki = Pki(os.path.join(folder, "pki"))
        trusted, hospital_id = pki.clients.certificate, rpc.new_id()
        # The answer is longer than one record of TLS.
        service = FakeService("tcp://127.0.0.1:%d" % free_port(),
                              lambda name, request: types_pb2.Hospital(hospital_id=request.hospital_id, name="n" * 100000))
        door = Wires(pki, "hospital-svc", os.path.join(folder, "door"), clients="127.0.0.1:%d" % free_port(),
                     to_clients=service.address[len("tcp://"):])
        port = door.settings["clients"].split(":")[1]
        with door:
            for host in ("localhost", "127.0.0.1"):
                caller = Caller(folder, "tls+tcp://%s:%s" % (host, port), hospital_id, "", trusted)
                for _ in range(3):
                    assert caller.call() == ["OK", "1"]
                # An idle connection that has ended is not used.
                door.kill()
                door.start()
                assert caller.call() == ["OK", "1"]
                caller.end()
            calls = service.count("GetHospital")

            def fails(address, ca, said):
                caller = Caller(folder, address, hospital_id, "", ca)
                outcome = " ".join(caller.call())
                assert outcome.startswith("UNAVAILABLE 0") and outcome.endswith(said), outcome
                caller.end()
            here = "tls+tcp://localhost:" + port
            fails(here, pki.services.certificate, "the server's certificate: unable to get local issuer certificate")
            fails("tls+" + service.address, trusted, "does not answer calls of this protocol")  # no TLS
            for host, reason in (("localhost", "hostname mismatch"), ("127.0.0.1", "IP address mismatch")):
                pki.clients.issue(pki.path("hospital-svc", "client-tls.pem"), "hospital-svc", "hospital-svc 127.0.0.2")
                door.renew()
                fails("tls+tcp://%s:%s" % (host, port), trusted, "the server's certificate: " + reason)
            assert service.count("GetHospital") == calls
        for address, more, said in (
                (here, (), "tls_ca_file: must be set for an address tls+tcp://, and for no other"),
                (service.address, ("", trusted), "tls_ca_file: must be set for an address tls+tcp://, and for no other"),
                (here, ("", "/nowhere"), "tls_ca_file: /nowhere: has no certificates"),
                ("tcp://192.0.2.1:7101", (trusted,), "address: tcp:// would show the token to the network: use tls+tcp://, or set insecure"),
                ("tls+ipc:///x", ("", trusted), "address: must be tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///PATH")):
            refused = run("./caller", address, hospital_id, *more, folder=folder)
            assert refused.returncode == 2 and refused.stderr == said + "\n", refused
        for more in (("", ""), (trusted, "", "insecure")):  # without a token; allowed
            opened = run("./caller", "tcp://192.0.2.1:7101", hospital_id, *more, folder=folder)
            assert opened.returncode == 0, opened
        service.close()


@once
def test_c_client_of_an_earlier_header_keeps_working(driver):
    del driver
    with EmptyFolder() as folder:
        prefix = install(folder)
        shutil.copy(os.path.join(ROOT, "tests/install/old_caller.c"), folder)
        output(*COMPILER, "old_caller.c", "-o", "old", *shared_flags(prefix), folder=folder)
        assert output("./old", "ipc://%s/rpc" % folder, folder=folder) == "opened\n"


@once
def test_python_client_in_an_empty_folder(driver):
    with EmptyFolder() as folder:
        shutil.copy(os.path.join(EXAMPLES, "client.py"), folder)
        check_client(driver, folder, "/usr/bin/python3", "-I", "-S", "client.py")


@once
def test_c_client_says_which_capacity_it_means(driver):
    address = "tcp://127.0.0.1:%d" % free_port()
    with EmptyFolder() as folder, Stack(driver, without=("booking", "history"), flags={"hospital": {"client-listen": address}}) as stack:
        prefix = install(folder)
        shutil.copy(os.path.join(ROOT, "tests/install/capacity.c"), folder)
        output(*COMPILER, "capacity.c", "-o", "capacity", *shared_flags(prefix), folder=folder)
        hospital_id = register(stack, days=(OPEN,))
        said = output("./capacity", address, hospital_id, day(OPEN), folder=folder)
        assert said == "INVALID_ARGUMENT capacity: must be given\nOK \n", said
        assert stack.hospital.GetHospital(hospital_id=hospital_id).message.days[0].capacity == 0
