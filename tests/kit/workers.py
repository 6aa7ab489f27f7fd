"""Runs jobs on threads that play customers in parallel. Provides connections that retry until they get a definite answer."""
import threading
import time

from . import rpc

ANSWER_DEADLINE_S = 120
PAUSE_S = 0.02
INDEFINITE = (rpc.UNAVAILABLE, rpc.DEADLINE_EXCEEDED, rpc.RESOURCE_EXHAUSTED)


class Workers:
    """Runs each job on its own thread. A job is a pair (function, arguments). The threads run from `start` on, or during a `with`
    block. A job that loops must check `stopping`. `died` collects the exceptions of the jobs; the code that stops the workers must
    check `died`."""

    def __init__(self, jobs):
        self.stopping = threading.Event()
        self.died = []
        # These are daemon threads, so that a test that fails early does not wait for them.
        self.threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]

    def _run(self, job, arguments):
        try:
            job(*arguments)
        except Exception as problem:
            self.died.append(repr(problem))

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def join(self):
        for thread in self.threads:
            thread.join()

    def stop(self):
        self.stopping.set()
        self.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Connection:
    """A customer's connection, which is opened again whenever it is lost."""

    def __init__(self, address):
        self.address, self.client = address, None

    def ask(self, name, **request):
        """Repeats a request until the answer is definite, and returns that answer. The id in the request makes this safe."""
        end = time.monotonic() + ANSWER_DEADLINE_S
        while time.monotonic() < end:
            try:
                self.client = self.client or rpc.Client(self.address, timeout=10)
                reply = self.client.call(name, timeout_ms=5000, **request)
                if reply.code not in INDEFINITE:
                    return reply
            except OSError:
                self.close()
            time.sleep(PAUSE_S)
        raise AssertionError("no definite answer to %s in %d s" % (name, ANSWER_DEADLINE_S))

    def close(self):
        if self.client is not None:
            self.client.close()
        self.client = None
