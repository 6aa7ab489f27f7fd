"""Writes the demo's output: the progress while the demo runs, demo.json, and the table of results."""

import itertools
import json
import os
import shutil
import sys
import time
import unicodedata

# The table is as wide as the terminal, within these limits. Without a terminal, its width is TABLE_DEFAULT.
TABLE_MIN, TABLE_MAX, TABLE_DEFAULT = 80, 120, 100
NAME_MAX = 30
_begun = time.monotonic()


def _print(text):
    """Prints a line. A reader that closes the pipe (./demo | head) ends neither the demo nor its cleanup."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text):
    """Prints one line of progress, with the time since the start."""
    _print("[%5.1f s] %s" % (time.monotonic() - _begun, text))


def show(text=""):
    """Prints text that is not progress."""
    _print(text)


def width(text):
    """Returns the number of columns that the text takes on a terminal. A Korean letter takes two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 0 if unicodedata.combining(letter) else 1
               for letter in text)


def pad(text, columns):
    return text + " " * (columns - width(text))


def wrap(text, columns):
    """Breaks the text between words. Returns lines of at most `columns` columns."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and width(lines[-1]) + 1 + width(word) > columns:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def table(header, rows, limits):
    """Returns the lines of a table. A column is as wide as its widest line, up to its limit in `limits`. A longer cell takes
    several lines."""
    lines = [[wrap(cell, limit) for cell, limit in zip(row, limits)] for row in (header, *rows)]
    columns = [max(width(line) for row in lines for line in row[i]) for i in range(len(header))]
    shown = ["  ".join(pad(cell or "", columns[i]) for i, cell in enumerate(cells)).rstrip()
             for row in lines for cells in itertools.zip_longest(*row)]
    return shown[:1] + ["  ".join("-" * column for column in columns)] + shown[1:]


def text_of(value):
    """Returns an expected or seen value as text for people."""
    if isinstance(value, dict):
        return ", ".join("%s %s" % (key, text_of(item)) for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(text_of(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format(value, ",") if isinstance(value, int) else str(value)


class Report:
    """The lines of the demo. Each has the keys did, expected, saw and held. Only this class computes `held`."""

    def __init__(self, path):
        self.path, self.lines = path, []

    def add(self, name, did, expected, saw, seed=None, took_s=None):
        """Adds a line. Derive `expected` from what was read before the action, and `saw`, in the same form, from what was read
        after it."""
        line = {"line": len(self.lines) + 1, "name": name, "seed": seed, "did": did, "expected": expected, "saw": saw,
                "held": expected == saw}
        if took_s is not None:
            line["seenAfterSeconds"] = round(took_s, 3)
        self.lines.append({key: value for key, value in line.items() if value is not None})
        self.write()
        say("%2d. %s%s" % (line["line"], name, "  (%s)" % seed if seed else ""))
        show("            did       %s" % did)
        show("            expected  %s" % text_of(expected))
        show("            saw       %s%s" % (text_of(saw), "" if took_s is None else "  (%.0f ms later)" % (took_s * 1000)))
        show("            %s" % ("held" if line["held"] else "DID NOT HOLD"))

    def write(self):
        """Writes demo.json. It is called after each line, so that an interrupted demo leaves its results so far."""
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(self.lines, file, ensure_ascii=False, indent=1)
            file.write("\n")

    def all_held(self):
        return all(line["held"] for line in self.lines)

    def show_table(self):
        """Prints the table. Shows the expected value only where a different value was seen."""
        rows = [(str(line["line"]), "held" if line["held"] else "NOT", line["name"],
                 text_of(line["saw"]) + ("" if line["held"] else " - expected: " + text_of(line["expected"])))
                for line in self.lines]
        columns = min(max(shutil.get_terminal_size((TABLE_DEFAULT, 0)).columns, TABLE_MIN), TABLE_MAX)
        show()
        for line in table(("", "", "what", "saw, as expected"), rows, (2, 4, NAME_MAX, columns - NAME_MAX - 12)):
            show(line)
