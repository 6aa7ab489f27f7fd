"""The tables of docs/configuration.md and its translation, made from the --help output of the programs of a build."""
import os
import re
import subprocess

SERVICES = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc")
WITH_DATABASE = SERVICES[:3]
NONE = "–"
# the page, the replacements for defaults that are words, and the heads of its tables
PAGES = (
    ("docs/configuration.md", {}, ("Flag", "Environment", "Default", "Meaning")),
    ("docs/configuration.ko.md", {"(required)": "(필수)"}, ("플래그", "환경 변수", "기본값", "뜻")),
)
MARKED = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- end -->)", re.S)


def _help(build, *path):
    """Returns the help text in English, whatever the caller's language."""
    return subprocess.run([os.path.join(build, *path), "--help"], capture_output=True, text=True, check=True,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C"}).stdout


def service_rows(text):
    """Returns (flag, environment, default, meaning) of each line of a service's table."""
    rows = [re.split(r" {2,}", line.strip(), maxsplit=3) for line in text.splitlines() if line.startswith("  --")]
    return [tuple(NONE if cell == "-" else cell for cell in row) for row in rows]


def screenctl_rows(text):
    """Returns the same for screenctl's options, whose meaning continues on indented lines."""
    options = re.search(r"^options, .*?\n(.*?)^--NAME", text, re.M | re.S)[1]
    rows = []
    for found in re.finditer(r"^  ((?:-\w, )?--[\w-]+(?: [A-Z:]+)?) +(.*(?:\n {10,}.*)*)", options, re.M):
        meaning = re.sub(r"\s+", " ", found[2]).strip()
        environment, default = re.search(r"environment ([A-Z_]+)", meaning), re.search(r"default ([^\s)]+)\)", meaning)
        meaning = re.sub(r" \((?:environment|default) [^)]*\)", "", meaning)
        rows.append((found[1], environment[1] if environment else NONE, default[1] if default else NONE, meaning))
    return rows


def tables(build):
    """Returns {name: rows}. Settings shared by the services with a database have their own table; the gateway's table
    is complete."""
    rows = {name: service_rows(_help(build, name, name)) for name in SERVICES}
    common = [row for row in rows[WITH_DATABASE[0]] if all(row in rows[name] for name in WITH_DATABASE)]
    found = {name: [row for row in rows[name] if row not in common] for name in WITH_DATABASE}
    return {"common": common, **found, "gateway-svc": rows["gateway-svc"],
            "screenctl": screenctl_rows(_help(build, "cli", "screenctl"))}


def _code(cell):
    return cell if cell == NONE or cell.startswith("(") else "`%s`" % cell


def filled(page, heads, words, wanted):
    """Returns the page with correct tables. A translation keeps its own meaning of an existing flag."""
    def table(match):
        begin, name, old, end = match.groups()
        kept = dict(re.findall(r"^\| `(.+?)` \|.*\| (.*?) \|$", old, re.M)) if words else {}
        lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for flag, environment, default, meaning in wanted[name]:
            cells = (_code(flag), _code(environment), words.get(default, _code(default)), kept.get(flag, meaning.replace("|", "\\|")))
            lines.append("| " + " | ".join(cells) + " |")
        return begin + "\n" + "\n".join(lines) + "\n\n" + end
    return MARKED.sub(table, page)


def check(root, build, write=False):
    """Prints a line for each page that differs from the programs. With `write`, corrects the page."""
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
