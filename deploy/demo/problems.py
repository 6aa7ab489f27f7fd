"""What can go wrong outside the demo itself; anything else is a bug of the demo and ends in a traceback."""


class StackError(Exception):
    """A part of the stack failed."""


class Refused(Exception):
    """screenctl was refused something that the demo needs to continue."""


PROBLEMS = (StackError, Refused, OSError)
