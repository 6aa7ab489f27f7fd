"""Extracts the shell commands from the documents, with what the text states about each, and compares a document with its
translation.

A document must follow these rules:
- The lines of every ```sh block are typed into the same terminal, in order. A line that ends in a backslash continues on the
  next line.
- `./demo --serve` has its own terminal, until a paragraph asks the reader to press Ctrl-C there.
- Every command ends with 0, unless the paragraph before its block names another exit code. Then each command of the block prints
  one of the words in capitals that the paragraph quotes, in order.
- A ```text block right after a ```sh block shows what the commands print. Ids, dates, times and widths of columns may differ; a
  line "..." stands for any number of lines.
"""
import collections
import dataclasses
import re

SERVE = "./demo --serve"
# These take too long to run here, or are tests themselves, so only their options are compared with their --help.
OWN_TESTS = re.compile(r"(\./(?:demo|test))\b(.*)")
# These need a container engine, so tests/compose/run covers them.
CONTAINERS = re.compile(r"docker[ -]compose\b")
READS = re.compile(r"screenctl (?:health|history|(?:booking|hospital) (?:list|show))\b")
VARIES = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"[T+]?\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "TIME"),
    (re.compile(r"-{2,}|\s+"), " "),
)


@dataclasses.dataclass
class Block:
    commands: list
    exit_code: int
    words: list  # the word that each command prints, or empty
    presses_ctrl_c: bool
    output: str  # what the commands print, or empty


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def cut(text):
    """Returns the ```sh blocks of a document, in order."""
    blocks = []
    for found in re.finditer(r"^```sh\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", text, re.M | re.S):
        paragraph = text[:found.start()].rstrip().rsplit("\n\n", 1)[-1]
        code = re.search(r"exit code (\d+)|종료 코드 (\d+)", paragraph)
        blocks.append(Block(
            commands=[line for line in found[1].replace("\\\n", "").splitlines() if line.strip()],
            exit_code=int(code[1] or code[2]) if code else 0,
            words=re.findall(r"`([A-Z][A-Z_]+)`", paragraph) if code else [],
            presses_ctrl_c=bool(re.search(r"[Pp]ress Ctrl-C|Ctrl-C를 누", paragraph)), output=found[2] or ""))
    return blocks


def plain(line):
    """Returns a line of output without the parts that may differ."""
    for pattern, word in VARIES:
        line = pattern.sub(word, line)
    return line.strip()


def looks_like(printed, shown):
    """Returns whether the output `printed` matches the output `shown` in a document."""
    parts = [[]]
    for line in filter(None, map(plain, shown.splitlines())):
        if line == "...":
            parts.append([])
        else:
            parts[-1].append(re.escape(line) + "\n")
    lines = "".join(line + "\n" for line in filter(None, map(plain, printed.splitlines())))
    return re.fullmatch("(?:.*\n)*?".join("".join(part) for part in parts), lines) is not None


def fences(text):
    """Returns all fenced blocks without their comments, because the comments are translated."""
    return [re.sub(r"/\*.*?\*/", "", block, flags=re.S) for block in re.findall(r"^```.*?^```$", text, re.M | re.S)]


def spans(text):
    """Counts how many times each `quoted` term (a flag, a file, the name of a test) occurs outside fenced blocks. The
    order of the terms is ignored, because it differs between languages."""
    return collections.Counter(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)))


def differences(original, translation):
    """Returns the differences between a document and its translation, one line each."""
    first, second = read(original), read(translation)
    names = "%s and %s" % (original, translation)
    found = []
    for one, other in zip(fences(first), fences(second)):
        if one != other:
            found.append("%s: these blocks differ:\n%s\n%s" % (names, one, other))
    for kind, one, other in (("blocks", len(fences(first)), len(fences(second))),
                             ("headings", len(re.findall(r"^#", first, re.M)), len(re.findall(r"^#", second, re.M)))):
        if one != other:
            found.append("%s: %d and %d %s" % (names, one, other, kind))
    one, other = spans(first), spans(second)
    for word in sorted(one.keys() | other.keys()):
        if one[word] != other[word]:
            found.append("%s: `%s` is there %d and %d times" % (names, word, one[word], other[word]))
    return found


def own_tests(text):
    """Returns (program, option) for each option with which a document calls ./demo or ./test."""
    quoted = list(spans(text)) + [command for block in cut(text) for command in block.commands]
    calls = [OWN_TESTS.fullmatch(words) for words in quoted]
    return sorted({(call[1], option) for call in calls if call for option in re.findall(r"(?<!\S)--?[\w-]+", call[2])})


def ports(text):
    """Returns the ports on which a document's commands listen."""
    return sorted({int(port) for port in re.findall(r"(?:tcp|http)://127\.0\.0\.1:(\d+)", text)})
