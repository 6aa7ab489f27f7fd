"""Where the figures of a run are kept."""

import time

from children import ROOT


def folder(wanted, caller, kind):
    """`wanted` as seen from the caller's folder; none is wanted: one of its own under var/KIND."""
    if wanted is None:
        return ROOT / "var" / kind / time.strftime("%Y%m%d-%H%M%S")
    return (caller / wanted).resolve()
