"""Defines the marks of tests, which the runner reads from the source, and how a test says that it cannot run here."""


def once(test):
    """Marks a test that does not depend on the database of hospital-svc and booking-svc. It runs with one driver only."""
    return test


class Skipped(Exception):
    """Raised if something that a test needs is not available. The text says what."""
