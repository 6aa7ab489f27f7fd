"""Ctrl-C, and its like, as a flag: looked at between steps, so that no signal ever cuts a step that starts or ends a process."""

import signal
import time

_received = None


class Interrupted(BaseException):
    """Somebody asked the demo to stop; not an Exception, so that no step takes it for a failure of its own."""

    def __init__(self, number):
        super().__init__(number)
        self.exit_code = 128 + number


def _note(number, _frame):
    global _received
    _received = _received or number


def install():
    """From now on signals are only noted; nohup's wish is respected."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _note)


def check():
    """Raises Interrupted once a signal has come. The cleaning up never calls it, so it can't be cut short."""
    if _received is not None:
        raise Interrupted(_received)


def sleep(seconds):
    """A short pause that a signal ends."""
    check()
    time.sleep(seconds)
    check()
