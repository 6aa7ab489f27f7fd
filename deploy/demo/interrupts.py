"""Ctrl-C and similar signals as a flag, checked between steps: no signal interrupts a step that starts or ends a process."""

import signal
import time

_received = None


class Interrupted(BaseException):
    """A signal asked the demo to stop; not an Exception, so that no step mistakes it for its own failure."""

    def __init__(self, number):
        super().__init__(number)
        self.exit_code = 128 + number


def _note(number, _frame):
    global _received
    _received = _received or number


def install():
    """Makes signals only set a flag from now on; a signal that nohup ignores stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _note)


def check():
    """Raises Interrupted once a signal has arrived. Cleanup never calls it, so cleanup cannot be cut short."""
    if _received is not None:
        raise Interrupted(_received)


def sleep(seconds):
    """A short pause that a signal ends."""
    check()
    time.sleep(seconds)
    check()
