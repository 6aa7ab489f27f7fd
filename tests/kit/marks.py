"""Marks for tests; the runner reads them from the source."""


def once(test):
    """The database of hospital-svc and booking-svc makes no difference: run with one driver only."""
    return test
