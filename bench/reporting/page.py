"""Fills in the tables of a page whose text is written by hand. Each table is between two markers."""

import re

from tables import TABLES

MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.S)


def filled(page, figures):
    """Returns the page with the tables that are made from the figures."""
    def table(match):
        begin, name, end = match.groups()
        return begin + "\n" + "\n".join(TABLES[name](figures)) + "\n\n" + end
    return MARKED.sub(table, page)
