"""Imports the demo's hospitals, one of which is the clinic that all customers want."""

from places import HOSPITALS, ROOT
from report import say

CLINIC = "서울한빛검진센터"


def import_hospitals(screenctl):
    """Imports data/hospitals.csv and returns the id of the hospital CLINIC. Idempotent."""
    answer = screenctl.ask("hospital", "import", HOSPITALS)
    say("imported %s: %d hospitals registered" % (HOSPITALS.relative_to(ROOT), answer["registered"]))
    (clinic,) = screenctl.ask("hospital", "list", "--name", CLINIC)["hospitals"]
    return clinic["hospitalId"]
