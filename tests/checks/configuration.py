"""Makes the tables of docs/configuration.md and its translation from the --help output of the programs of a build."""
import os
import re
import subprocess

SERVICES = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc")
WITH_DATABASE = SERVICES[:3]
BRIDGE = "jetstream-bridge"  # built only where its library is installed
NONE = "–"
# A tuple is (path of the page, replacements of defaults that are words, headings of the tables).
PAGES = (
    ("docs/configuration.md", {}, ("Flag", "Environment", "Default", "Meaning")),
    ("docs/configuration.ko.md", {"(required)": "(필수)"}, ("플래그", "환경 변수", "기본값", "뜻")),
)
MARKED = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end -->)", re.S)


def _help(build, *path):
    """Returns the help text of a program, in English whatever the caller's language."""
    return subprocess.run([os.path.join(build, *path), "--help"], capture_output=True, text=True, check=True,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C"}).stdout


def service_rows(text):
    """Returns (flag, environment, default, meaning) of each setting in the help text of a service."""
    rows = [re.split(r" {2,}", line.strip(), maxsplit=3) for line in text.splitlines() if line.startswith("  --")]
    return [tuple(NONE if cell == "-" else cell for cell in row) for row in rows]


def screenctl_rows(text):
    """Returns (flag, environment, default, meaning) of each option of screenctl, whose meaning may continue on indented lines."""
    options = re.search(r"^options, .*?\n(.*?)^--NAME", text, re.M | re.S)[1]
    rows = []
    for found in re.finditer(r"^  ((?:-\w, )?--[\w-]+(?: [A-Z:]+)?) +(.*(?:\n {10,}.*)*)", options, re.M):
        meaning = re.sub(r"\s+", " ", found[2]).strip()
        environment, default = re.search(r"environment ([A-Z_]+)", meaning), re.search(r"default ([^\s)]+)\)", meaning)
        meaning = re.sub(r" \((?:environment|default) [^)]*\)", "", meaning)
        rows.append((found[1], environment[1] if environment else NONE, default[1] if default else NONE, meaning))
    return rows


def tables(build):
    """Returns {name of the table: rows}. Settings that all services with a database share are in the table "common". The gateway's
    table is complete."""
    rows = {name: service_rows(_help(build, name, name)) for name in SERVICES}
    common = [row for row in rows[WITH_DATABASE[0]] if all(row in rows[name] for name in WITH_DATABASE)]
    found = {name: [row for row in rows[name] if row not in common] for name in WITH_DATABASE}
    bridge = {BRIDGE: service_rows(_help(build, BRIDGE, BRIDGE))} if os.path.exists(os.path.join(build, BRIDGE, BRIDGE)) else {}
    return {"common": common, **found, "gateway-svc": rows["gateway-svc"], **bridge,
            "screenctl": screenctl_rows(_help(build, "cli", "screenctl"))}


def _code(cell):
    return cell if cell == NONE or cell.startswith("(") else "`%s`" % cell


def filled(page, heads, words, wanted):
    """Returns the page with correct tables. If `words` is not empty, the page is a translation, and keeps the meaning of each flag
    that it already lists."""
    def table(match):
        begin, name, old, end = match.groups()
        if name == BRIDGE and name not in wanted:
            return match[0]
        kept = dict(re.findall(r"^\| `(.+?)` \|.*\| (.*?) \|$", old, re.M)) if words else {}
        lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for flag, environment, default, meaning in wanted[name]:
            cells = (_code(flag), _code(environment), words.get(default, _code(default)), kept.get(flag, meaning.replace("|", "\\|")))
            lines.append("| " + " | ".join(cells) + " |")
        return begin + "\n" + "\n".join(lines) + "\n\n" + end
    return MARKED.sub(table, page)


def check(root, build, write=False):
    """Returns a message for each page that differs from the programs. With `write`, also corrects the page."""
    wanted, wrong = tables(build), []
    for path, words, heads in PAGES:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            page = file.read()
        missing = wanted.keys() - {found[1] for found in MARKED.findall(page)}
        new = filled(page, heads, words, wanted)
        if missing:
            wrong.append("%s: no table %s" % (path, ", ".join(sorted(missing))))
        if new != page:
            wrong.append("%s is not what the programs say: run tests/checks/check configuration BUILD_FOLDER --write" % path)
            if write:
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(new)
    return wrong
