"""Turns Ctrl-C and similar signals into a flag, which is checked between steps, so that no signal interrupts the start or the end
of a process."""

import signal
import time

_received = None


class Interrupted(BaseException):
    """Raised after a signal that asks the demo to stop. It is not an Exception, so that no step mistakes it for its own failure."""

    def __init__(self, number):
        super().__init__(number)
        self.exit_code = 128 + number


def _note(number, _frame):
    global _received
    _received = _received or number


def install():
    """Makes signals only set a flag from now on. A SIGHUP that nohup ignores stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _note)


def check():
    """Raises Interrupted once a signal has arrived. Cleanup never calls this function, so it always runs to its end."""
    if _received is not None:
        raise Interrupted(_received)


def sleep(seconds):
    """Sleeps for `seconds`. Raises Interrupted if a signal has arrived before or during the sleep."""
    check()
    time.sleep(seconds)
    check()
