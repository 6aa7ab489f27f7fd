"""Calls the services from Python, for look-ups and for calls that take so long that Python's own time is negligible."""

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
    """Calls the method `name`. Returns the response; fails if the code is not OK."""
    reply = client.call(name, **request)
    must(reply.code == rpc.OK, "%s: %r" % (name, reply))
    return reply.message


def log_states(history):
    """Returns the state of each log that history-svc follows, by the name of the log."""
    return {log.log: log for log in answer(history, "GetProjectionStatus").logs}


def wait_applied(history, log, seq, deadline_s):
    """Waits until history-svc has applied the event `seq` of the log."""
    wait_until("event %d of the %s log at history-svc" % (seq, log), lambda: log_states(history)[log].applied_seq >= seq,
               deadline_s)
