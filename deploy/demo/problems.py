"""What can go wrong outside of the demo itself; anything else is a bug of the demo's and ends in a traceback."""


class StackError(Exception):
    """A part of the stack did not do what it has to."""


class Refused(Exception):
    """screenctl said no where the demo can't go on without a yes."""


PROBLEMS = (StackError, Refused, OSError)
