"""Calls to the services from Python: look-ups, single calls, and calls so long that Python's own time is negligible."""

import contextlib

from bench import must, wait_until
from kit import rpc


@contextlib.contextmanager
def connected(address):
    """Yields a client of a service, for a `with` block."""
    client = rpc.Client(address)
    try:
        yield client
    finally:
        client.close()


def answer(client, name, /, **request):
    """Returns the response. Any code other than OK is a failure."""
    reply = client.call(name, **request)
    must(reply.code == rpc.OK, "%s: %r" % (name, reply))
    return reply.message


def log_states(history):
    """Returns the states of the logs that history-svc follows, by name."""
    return {log.log: log for log in answer(history, "GetProjectionStatus").logs}


def wait_applied(history, log, seq, deadline_s):
    """Waits until history-svc has applied this many events of that log."""
    wait_until("event %d of the %s log at history-svc" % (seq, log), lambda: log_states(history)[log].applied_seq >= seq,
               deadline_s)
