"""Determines the folder for the figures of a run."""

import time

from children import ROOT


def folder(wanted, caller, kind):
    """Returns the output folder: `wanted`, relative to the folder `caller`, or a new folder in var/KIND if `wanted` is None."""
    if wanted is None:
        return ROOT / "var" / kind / time.strftime("%Y%m%d-%H%M%S")
    return (caller / wanted).resolve()
