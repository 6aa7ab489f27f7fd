"""Tests the software bill of materials: its form (SPDX 2.3), and that it lists what the installed files really load."""
import copy
import datetime
import glob
import hashlib
import json
import os
import re
import subprocess
import tempfile

from hardening.elf import installed, needed
from kit.marks import once

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IDENTIFIER = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
LICENCE = re.compile(r"NOASSERTION|[A-Za-z0-9.-]+( (OR|AND) [A-Za-z0-9.-]+)*")
RELATIONS = {"DESCRIBES", "CONTAINS", "DYNAMIC_LINK", "DEPENDS_ON", "OPTIONAL_DEPENDENCY_OF"}
MEMBERS = {
    "document": {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "files", "relationships"},
    "package": {"SPDXID", "name", "versionInfo", "downloadLocation", "filesAnalyzed", "licenseConcluded", "licenseDeclared", "copyrightText"},
    "file": {"SPDXID", "fileName", "checksums", "licenseConcluded", "copyrightText"},
    "relationship": {"spdxElementId", "relationshipType", "relatedSpdxElement"},
}


def faults(document):
    """Returns what is wrong with the form of a document, as SPDX 2.3 prescribes it."""
    wrong = ["the document lacks " + name for name in MEMBERS["document"] - set(document)]
    if wrong:
        return wrong
    for kind, one in [(kind, one) for kind in ("package", "file", "relationship") for one in document[kind + "s"]]:
        wrong += ["a %s lacks %s" % (kind, name) for name in MEMBERS[kind] - set(one)]
    wrong += ["%s is %r" % (name, document[name]) for name, value in (("spdxVersion", "SPDX-2.3"), ("dataLicense", "CC0-1.0"),
                                                                      ("SPDXID", "SPDXRef-DOCUMENT")) if document[name] != value]
    if not re.fullmatch(r"https://[^\s#]+", document["documentNamespace"]):
        wrong.append("the namespace is no URI, or has a fragment")
    try:
        datetime.datetime.strptime(document["creationInfo"]["created"], "%Y-%m-%dT%H:%M:%SZ")
    except (KeyError, ValueError):
        wrong.append("the time of creation")
    if not all(re.match(r"(Tool|Person|Organization): \S", one) for one in document["creationInfo"].get("creators") or ["none"]):
        wrong.append("the creators")
    if wrong:
        return wrong
    parts = document["packages"] + document["files"]
    known = ["SPDXRef-DOCUMENT"] + [part["SPDXID"] for part in parts]
    wrong += ["the identifier " + one for one in known if not IDENTIFIER.fullmatch(one) or known.count(one) > 1]
    wrong += ["the licence of " + part["SPDXID"] for part in parts for name in ("licenseConcluded", "licenseDeclared")
              if not LICENCE.fullmatch(part.get(name, "NOASSERTION"))]
    for part in document["files"]:
        sums = {one["algorithm"]: one["checksumValue"] for one in part["checksums"]}
        if not re.fullmatch(r"[0-9a-f]{40}", sums.get("SHA1", "")) or not re.fullmatch(r"[0-9a-f]{64}", sums.get("SHA256", "")):
            wrong.append("the checksums of " + part["SPDXID"])
    for one in document["relationships"]:
        if one["relationshipType"] not in RELATIONS or not {one["spdxElementId"], one["relatedSpdxElement"]} <= set(known):
            wrong.append("the relationship %s" % one)
    if not any(one["relationshipType"] == "DESCRIBES" for one in document["relationships"]):
        wrong.append("the document describes nothing")
    return wrong


def owner(library):
    """Returns the package of a library by its name, as the linker's cache and dpkg know it."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = re.search(r"^\t%s \(.*\) => (\S+)$" % re.escape(library), cache, re.M)[1]
    real = os.path.realpath(path)
    said = subprocess.run(["dpkg", "-S", real, real.removeprefix("/usr")], capture_output=True, text=True, check=False).stdout
    return said.split(":")[0]


def version_of(package):
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}\n", package], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0]


@once
def test_the_bill_of_materials_lists_what_is_loaded(driver):
    del driver
    with tempfile.TemporaryDirectory(prefix="screening-sbom-") as prefix:
        paths = installed(prefix)
        with open(os.path.join(prefix, "share/screening/screening.spdx.json"), encoding="utf-8") as file:
            document = json.load(file)
        assert not faults(document), faults(document)
        packages = {package["SPDXID"]: package for package in document["packages"]}
        files = {os.path.basename(one["fileName"]): one for one in document["files"]}
        assert set(files) == {os.path.basename(path) for path in paths}, files.keys()
        libraries = set()
        for path in paths:
            listed = files[os.path.basename(path)]
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            assert {"algorithm": "SHA256", "checksumValue": digest} in listed["checksums"], "%s: cmake --build --target sbom" % path
            linked = {packages[one["relatedSpdxElement"]]["name"]: packages[one["relatedSpdxElement"]]["versionInfo"]
                      for one in document["relationships"]
                      if one["spdxElementId"] == listed["SPDXID"] and one["relationshipType"] == "DYNAMIC_LINK"}
            for library in needed(path):
                libraries.add(library)
                assert linked.get(owner(library)) == version_of(owner(library)), (path, library, linked)
        assert {"libnng.so.1", "libpq.so.5", "libnghttp2.so.14", "libc.so.6"} <= libraries, libraries


@once
def test_the_bill_of_materials_lists_what_is_opened_by_name(driver):
    del driver
    opened = set()
    for path in glob.glob(os.path.join(ROOT, "**", "*.c"), recursive=True):
        if not path.startswith((os.path.join(ROOT, "build"), os.path.join(ROOT, "tests"))):
            with open(path, encoding="utf-8") as file:
                opened |= set(re.findall(r"dlopen\(([^,]*),", file.read()))
    assert '"libcurl.so.4"' in opened, opened
    with tempfile.TemporaryDirectory(prefix="screening-sbom-") as prefix:
        installed(prefix)
        with open(os.path.join(prefix, "share/screening/screening.spdx.json"), encoding="utf-8") as file:
            document = json.load(file)
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    optional = {names[one["spdxElementId"]] for one in document["relationships"] if one["relationshipType"] == "OPTIONAL_DEPENDENCY_OF"}
    for library in opened:
        assert owner(library.strip('"')) in optional, (library, optional)


@once
def test_the_check_of_the_form_sees_each_fault(driver):
    del driver
    with tempfile.TemporaryDirectory(prefix="screening-sbom-") as prefix:
        installed(prefix)
        with open(os.path.join(prefix, "share/screening/screening.spdx.json"), encoding="utf-8") as file:
            document = json.load(file)
    changes = (
        lambda one: one.update(spdxVersion="SPDX-2.2"),
        lambda one: one.pop("documentNamespace"),
        lambda one: one["creationInfo"].update(created="today"),
        lambda one: one["packages"][1].update(SPDXID="SPDXRef-a_b"),
        lambda one: one["packages"][1].update(SPDXID=one["packages"][2]["SPDXID"]),
        lambda one: one["packages"][1].pop("downloadLocation"),
        lambda one: one["packages"][1].update(licenseDeclared="GPL 2"),
        lambda one: one["files"][0]["checksums"].pop(0),
        lambda one: one["relationships"].append(dict(one["relationships"][0], relatedSpdxElement="SPDXRef-none")),
        lambda one: one["relationships"].pop(0),
    )
    for number, change in enumerate(changes):
        altered = copy.deepcopy(document)
        change(altered)
        assert faults(altered), "fault %d is not seen" % number
