#!/usr/bin/python3
"""Writes a software bill of materials in SPDX 2.3: sbom.py --version VERSION --out FILE [--opens PROGRAM=LIBRARY]... PROGRAM...

It lists the programs and libraries of this build, and every Debian package whose library one of them loads, found from the files
themselves (readelf, ldd, dpkg). --opens names a library that a program only opens when it needs it (dlopen). The licence of a package is taken from its copyright file if that states one for all files.
"""
import argparse
import datetime
import functools
import hashlib
import json
import os
import re
import subprocess

LICENCES = {"Expat": "MIT", "MIT": "MIT", "Apache-2.0": "Apache-2.0", "BSD-2-clause": "BSD-2-Clause", "BSD-3-clause": "BSD-3-Clause",
            "GPL-2+": "GPL-2.0-or-later", "GPL-3+": "GPL-3.0-or-later", "LGPL-2+": "LGPL-2.0-or-later", "LGPL-2.1+": "LGPL-2.1-or-later",
            "LGPL-3+": "LGPL-3.0-or-later", "ISC": "ISC", "PostgreSQL": "PostgreSQL", "OpenLDAP-2.8": "OLDAP-2.8", "Zlib": "Zlib",
            "BSD-2-Clause": "BSD-2-Clause", "BSD-3-Clause": "BSD-3-Clause"}
UNKNOWN = "NOASSERTION"
OURS = "SPDXRef-Package-screening-reservation"


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout


def needed(path):
    """Returns the names of the libraries that a file asks for itself."""
    return re.findall(r"\(NEEDED\) +Shared library: \[(.+)\]", output("readelf", "-dW", path))


def loaded(path):
    """Returns {name: path} of all libraries that the file loads, also those that its libraries ask for."""
    return dict(re.findall(r"^\t(\S+) => (/\S+) ", output("ldd", path), re.M))


def found_by_name(library):
    """Returns the path of a library that a program opens by its name."""
    found = re.search(r"^\t%s \(.*\) => (/\S+)$" % re.escape(library), output("/sbin/ldconfig", "-p"), re.M)
    if not found:
        raise SystemExit("sbom: there is no %s" % library)
    return found[1]


@functools.lru_cache(maxsize=None)
def package_of(path):
    """Returns the name of the package that contains a library. Debian may know its path with or without /usr."""
    real = os.path.realpath(path)
    for known in (real, real.removeprefix("/usr"), "/usr" + real):
        done = subprocess.run(["dpkg", "-S", known], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(": ")[0].split(", ")[0]
    raise SystemExit("sbom: no package contains %s" % path)


def licence(package):
    """Returns the licence of all files of a package as an SPDX expression, or UNKNOWN if its copyright file does not state it in a form
    for programs."""
    try:
        with open("/usr/share/doc/%s/copyright" % package.split(":")[0], encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return UNKNOWN
    found = re.search(r"^Files: \*\n(?:.+\n)*?License: (.+)$", text, re.M)
    if not text.startswith("Format:") or not found:
        return UNKNOWN
    words = [word if word in ("or", "and") else LICENCES.get(word) for word in found[1].split()]
    return " ".join(word.upper() if word in ("or", "and") else word for word in words) if all(words) else UNKNOWN


def identifier(kind, name):
    return "SPDXRef-%s-%s" % (kind, re.sub(r"[^A-Za-z0-9.-]", "-", name))


@functools.lru_cache(maxsize=None)
def describe_package(name):
    version, architecture, source, source_version = output(
        "dpkg-query", "-W", "-f", "${Version}\t${Architecture}\t${source:Package}\t${source:Version}", name).split("\t")
    plain = name.split(":")[0]
    with open("/etc/os-release", encoding="utf-8") as file:
        release = re.search(r'^VERSION_ID="?(.*?)"?$', file.read(), re.M)
    return {
        "SPDXID": identifier("Package", plain), "name": plain, "versionInfo": version, "supplier": "Organization: Debian",
        "downloadLocation": UNKNOWN, "filesAnalyzed": False, "primaryPackagePurpose": "LIBRARY",
        "licenseConcluded": UNKNOWN, "licenseDeclared": licence(name), "copyrightText": UNKNOWN,
        "sourceInfo": "Debian source package %s %s" % (source, source_version),
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": "pkg:deb/debian/%s@%s?arch=%s&distro=debian-%s" % (
                              plain.replace("+", "%2B"), version.replace("+", "%2B").replace(":", "%3A"), architecture,
                              release[1] if release else "unknown")}],
    }


def describe_file(path):
    with open(path, "rb") as file:
        content = file.read()
    return {
        "SPDXID": identifier("File", os.path.basename(path)), "fileName": "./" + os.path.basename(path), "fileTypes": ["BINARY"],
        "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(content).hexdigest()},
                      {"algorithm": "SHA256", "checksumValue": hashlib.sha256(content).hexdigest()}],
        "licenseConcluded": "Apache-2.0", "licenseInfoInFiles": [UNKNOWN], "copyrightText": UNKNOWN,
    }


def relation(subject, kind, target):
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": target}


def describe(version, paths, opened):
    packages, files, relations = {}, [], [relation("SPDXRef-DOCUMENT", "DESCRIBES", OURS)]
    for path in paths:
        own = describe_file(path)
        files.append(own)
        relations.append(relation(OURS, "CONTAINS", own["SPDXID"]))
        direct, linked = set(needed(path)), {}
        for library, found in loaded(path).items():
            name = package_of(found)
            packages[name] = describe_package(name)
            linked[name] = linked.get(name, False) or library in direct
        for name, is_direct in sorted(linked.items()):
            relations.append(relation(own["SPDXID"], "DYNAMIC_LINK" if is_direct else "DEPENDS_ON", packages[name]["SPDXID"]))
        for library in opened.get(os.path.basename(path), ()):
            where = found_by_name(library)
            for name in sorted({package_of(one) for one in (where, *loaded(where).values())} - set(linked)):
                packages[name] = describe_package(name)
                relations.append(relation(packages[name]["SPDXID"], "OPTIONAL_DEPENDENCY_OF", own["SPDXID"]))
    sums = sorted(file["checksums"][0]["checksumValue"] for file in files)
    ours = {"SPDXID": OURS, "name": "screening-reservation", "versionInfo": version, "downloadLocation": UNKNOWN, "filesAnalyzed": True,
            "packageVerificationCode": {"packageVerificationCodeValue": hashlib.sha1("".join(sums).encode()).hexdigest()},
            "primaryPackagePurpose": "APPLICATION", "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0",
            "licenseInfoFromFiles": [UNKNOWN], "copyrightText": UNKNOWN}
    body = {"packages": [ours] + [packages[name] for name in sorted(packages)], "files": files, "relationships": relations}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc) if epoch else datetime.datetime.now(datetime.timezone.utc)
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "screening-reservation-" + version,
        "documentNamespace": "https://spdx.org/spdxdocs/screening-reservation-%s-%s" % (version, digest[:32]),
        "creationInfo": {"created": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: screening-reservation-sbom"]}, **body,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--opens", action="append", default=[])
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    opened = {}
    for program, _, library in (one.partition("=") for one in options.opens):
        opened.setdefault(program, []).append(library)
    document = describe(options.version, options.programs, opened)
    with open(options.out + ".new", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
        file.write("\n")
    os.replace(options.out + ".new", options.out)


if __name__ == "__main__":
    main()
