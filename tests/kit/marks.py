"""Marks for tests; the runner reads them from the source."""


def once(test):
    """The test does not depend on the database of hospital-svc and booking-svc: run it with one driver only."""
    return test
