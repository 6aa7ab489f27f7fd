"""Tests that each installed program and library has the properties that cmake/Hardening.cmake asks for."""
import json
import os
import platform
import re
import subprocess
import tempfile

from hardening.elf import installed, output
from kit.marks import once
from kit.stack import BUILD, DEADLINE_S, program

PROGRAMS = {"hospital-svc", "booking-svc", "history-svc", "gateway-svc", "screenctl"}
if os.path.exists(program("jetstream-bridge")):
    PROGRAMS.add("jetstream-bridge")
X86, ENDBR64 = platform.machine() == "x86_64", b"\xf3\x0f\x1e\xfa"
# The start files of the C library have a few of these instructions in any program.
FEWEST_ENDBR64 = 20

# What each source is compiled with, if the compiler has it. The binaries do not show all of it.
FLAGS = ["-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection=full", "-mbranch-protection=standard",
         "-U_FORTIFY_SOURCE"]

# A program that is compiled without each property in turn, so that no check passes whatever it sees.
SOURCE = """#include <stdio.h>
#include <string.h>
#ifdef WRITABLE_CODE
__asm__(".section .both, \\"awx\\"\\n.byte 0\\n.previous");
#endif
int main(int argc, char **argv)
{
    char text[16];
    strcpy(text, argv[argc - 1]);
    return printf("%s", text) < 0;
}
"""
GOOD = ["-O2", "-fPIE", "-pie", "-Wl,-z,relro,-z,now,-z,noexecstack", "-fstack-protector-strong", "-U_FORTIFY_SOURCE",
        "-D_FORTIFY_SOURCE=2", "-w"]
BAD = {
    "no address randomization": ["-no-pie", "-fno-pie"],
    "no read-only relocations": ["-Wl,-z,norelro"],
    "bound lazily": ["-Wl,-z,lazy"],
    "an executable stack": ["-Wl,-z,execstack"],
    "a segment that is writable and executable": ["-DWRITABLE_CODE"],
    "a path to libraries": ["-Wl,-rpath,/tmp"],
    "no stack protector": ["-fno-stack-protector"],
    "no checked copies": ["-U_FORTIFY_SOURCE"],
}


def section(path, name):
    """Returns the bytes of a section of an ELF file."""
    found = re.search(r" %s +PROGBITS +\w+ (\w+) (\w+) " % re.escape(name), output("readelf", "-SW", path))
    offset, size = (int(number, 16) for number in found.groups())
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)


def weaknesses(path):
    """Returns which properties an ELF file lacks. The names are those of BAD, and one for x86."""
    head, dynamic = output("readelf", "-hW", path), output("readelf", "-dW", path)
    segments = re.findall(r"^  (LOAD|GNU_STACK|GNU_RELRO) +(?:0x\w+ +){5}([R ][W ][E ]) ", output("readelf", "-lW", path), re.M)
    symbols = set(re.findall(r" UND (\w+)", output("readelf", "--dyn-syms", "-W", path)))
    is_library = ".so" in os.path.basename(path)
    return {name for name, weak in {
        "no address randomization": not re.search(r"Type: +DYN", head) or not (is_library or re.search(r"FLAGS_1.* PIE", dynamic)),
        "no read-only relocations": "GNU_RELRO" not in dict(segments),
        "bound lazily": not re.search(r"FLAGS.*BIND_NOW|FLAGS_1.* NOW", dynamic),
        "an executable stack": any(kind == "GNU_STACK" and "E" in rights for kind, rights in segments)
        or "GNU_STACK" not in dict(segments),
        "a segment that is writable and executable": any(kind == "LOAD" and "W" in rights and "E" in rights
                                                         for kind, rights in segments),
        "a path to libraries": re.search(r"\((RPATH|RUNPATH|TEXTREL)\)", dynamic) is not None,
        "no stack protector": "__stack_chk_fail" not in symbols,
        "no checked copies": not {name for name in symbols if re.fullmatch(r"__\w+_chk", name)},
    }.items() if weak}


@once
def test_each_installed_binary_is_hardened(driver):
    del driver
    with tempfile.TemporaryDirectory(prefix="screening-hardening-") as prefix:
        paths = installed(prefix)
        names = {os.path.basename(path) for path in paths}
        assert PROGRAMS < names and len(names - PROGRAMS) == 1, names
        for path in paths:
            assert not weaknesses(path), (path, weaknesses(path))
            if X86:
                assert section(path, ".text").count(ENDBR64) >= FEWEST_ENDBR64, path


@once
def test_the_check_of_binaries_sees_each_weakness(driver):
    del driver
    with tempfile.TemporaryDirectory(prefix="screening-hardening-") as folder:
        source, program = os.path.join(folder, "program.c"), os.path.join(folder, "program")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SOURCE)
        output("cc", *GOOD, source, "-o", program)
        assert not weaknesses(program), weaknesses(program)
        for name, flags in BAD.items():
            output("cc", *GOOD, *flags, source, "-o", program)
            assert name in weaknesses(program), (name, weaknesses(program))
        if X86:
            output("cc", *GOOD, "-fcf-protection=none", source, "-o", program)
            assert section(program, ".text").count(ENDBR64) < FEWEST_ENDBR64


def accepts(compiler, *flags):
    """Returns whether the compiler has the flags and says nothing about them."""
    done = subprocess.run([compiler, "-O2", *flags, "-Werror", "-include", "stdio.h", "-x", "c", "-fsyntax-only", "/dev/null"],
                          capture_output=True, check=False, timeout=DEADLINE_S)
    return done.returncode == 0


@once
def test_each_source_is_compiled_with_all_the_compiler_has(driver):
    del driver
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        commands = [entry["command"].split() for entry in json.load(file)]
    assert len(commands) > 200
    compiler = next(word for word in commands[0] if not word.endswith("ccache"))
    wanted = {flag for flag in FLAGS if accepts(compiler, flag)}
    wanted.add("-D_FORTIFY_SOURCE=%d" % (3 if accepts(compiler, "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3") else 2))
    assert len(wanted) >= 5, wanted
    for command in commands:
        assert wanted <= set(command), (wanted - set(command), command)
        assert "-fPIE" in command or "-fPIC" in command, command
