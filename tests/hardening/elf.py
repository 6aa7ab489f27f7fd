"""Finds the programs and libraries that `cmake --install` installs, and reads them."""
import glob
import os
import re
import subprocess

from kit.stack import BUILD, DEADLINE_S


def output(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done
    return done.stdout


def installed(prefix):
    """Returns the paths of all ELF files that `cmake --install` installs, without links to others."""
    output("cmake", "--install", BUILD, "--prefix", prefix)
    found = []
    for path in glob.glob(os.path.join(prefix, "**", "*"), recursive=True):
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    found.append(path)
    return found


def needed(path):
    """Returns the names of the libraries that an ELF file asks for."""
    return re.findall(r"\(NEEDED\) +Shared library: \[(.+)\]", output("readelf", "-dW", path))
