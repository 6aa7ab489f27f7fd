"""Marks for tests. The runner reads them from the source."""


def once(test):
    """Marks a test that does not depend on the database of hospital-svc and booking-svc, so that it runs with one
    driver only."""
    return test
