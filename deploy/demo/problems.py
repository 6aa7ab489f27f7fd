"""Defines the errors that have a cause outside the demo. Any other exception is a bug of the demo and ends in a traceback."""


class StackError(Exception):
    """Raised when a part of the stack failed."""


class Refused(Exception):
    """Raised when a service refused a call of screenctl whose result the demo needs."""


PROBLEMS = (StackError, Refused, OSError)
