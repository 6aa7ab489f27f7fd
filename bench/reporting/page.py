"""The page: hand-written text, with tables between markers."""

import re

from tables import TABLES

MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.S)


def filled(page, figures):
    """Returns the page with its tables made from the figures."""
    def table(match):
        begin, name, end = match.groups()
        return begin + "\n" + "\n".join(TABLES[name](figures)) + "\n\n" + end
    return MARKED.sub(table, page)
