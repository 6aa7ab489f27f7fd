"""Acts as docs/operations.md instructs an operator after a restore, but only if the services ask for it."""
import collections
import threading
import time

from kit import rpc
from kit.stack import DEADLINE_S, wait_for
from kit.world import behind, repair

PLACES = 100000  # places of a day that no other caller books, which shows whether places are granted


class Operator:
    """The operator of a round. `load` provides the operator's client, whose calls are recorded like all others."""

    def __init__(self, stack, load):
        self.stack, self.load = stack, load
        self.restores = []
        self.lock = threading.Lock()  # held during a restore and everything that the restore requires
        self.taken = collections.Counter()  # number of actions, by name
        self.client = None
        self.day = None

    def prepare(self):
        """Prepares the operator. Call it before the first backup."""
        self.client = self.load.client()
        self.day = self.client.register(PLACES, in_world=False)

    def restored(self, restore):
        """Does what the services ask for after a database was restored from a backup. Returns when places are granted again through
        every replica, and history-svc follows the log."""
        self.restores.append(restore)
        for name in self.stack.replicas_of("booking"):
            self._wait_granted(name)
        self.attend()
        restore.history_ns = time.monotonic_ns()

    def _wait_granted(self, name):
        """Waits until places are granted through the replica `name`. A service that grants no places must report the reason, and
        the operator acts on it."""
        end = time.monotonic() + DEADLINE_S
        while not self.client.probe(self.day, name):
            self.attend()
            assert time.monotonic() < end, "nothing is granted by way of %s, and nobody says why: %s" % (
                name, {one: self.reasons(one) for one in self.stack.names})

    def attend(self):
        """Acts on the reasons for which services report that they are degraded."""
        if any("diverged" in reason.lower() for name in self.stack.replicas_of("hospital") for reason in self.reasons(name)):
            self.taken["follow"] += 1
            self._follow_from_start()
        if self._is_history_lost():
            self.taken["rebuild"] += 1
            self._rebuild()

    def _is_history_lost(self):
        """Returns whether the log lacks events that history-svc has applied. Waits until history-svc reports that, or
        follows the log."""
        def settled():
            if any("diverged" in reason.lower() for reason in self.reasons("history")):
                return "lost"
            applied = self.stack.rows("history", "SELECT seq, event_id FROM event_cursor WHERE log = 'booking'")
            if not applied:
                return "followed"
            seq, event_id = int(applied[0][0]), _plain(applied[0][1])
            found = self.stack.rows("booking", "SELECT event_id FROM event_log WHERE seq = %d" % seq)
            return "followed" if seq == 0 or (found and _plain(found[0][0]) == event_id) else None
        return wait_for("history-svc follows the booking log or says that it diverged", settled) == "lost"

    def reasons(self, name):
        """Returns the reasons for which the service reports that it is degraded. The list is empty while the service does not
        answer."""
        try:
            client = rpc.Client(self.stack.services[name].rpc, timeout=5)
        except OSError:
            return []
        try:
            reply = client.Stats()
            return list(reply.message.degraded) if reply.code == rpc.OK else []
        except OSError:
            return []
        finally:
            client.close()

    def _follow_from_start(self):
        """Stops all replicas of hospital-svc, starts one with --follow-log-from-start, then the others."""
        names = self.stack.replicas_of("hospital")
        self.stack.stop(names)
        self.stack.revive(names[0], follow_log_from_start="booking")
        wait_for("hospital-svc is ready", self.stack.services[names[0]].serving)
        for name in names[1:]:
            self.stack.revive(name)

    def _rebuild(self):
        done = self.stack.services["history"].run_once(rebuild="true")
        assert done.returncode == 0, "history-svc --rebuild: %s" % done.stderr
        for restore in self.restores:
            restore.history_ns = time.monotonic_ns()

    def finish(self):
        """Acts on what the services still ask for after restores, and releases the places of lost bookings. Call it when no client
        books any more."""
        def followed():
            self.attend()
            return not behind(self.stack)
        wait_for("the logs are followed to their ends", followed)
        repair(self.stack, "--release")

    def check_reasons(self):
        """Checks that in the end the services report nothing but overcommitted days (which they count every 3 s), if there are any,
        and a recovery of hospital-svc that an operator must acknowledge."""
        days = self.stack.value("hospital", "SELECT COUNT(*) FROM screening_day WHERE reserved > capacity")
        allowed = ["%d day%s overcommitted" % (days, "" if days == 1 else "s")] if days else []
        for name in self.stack.names:
            expected = allowed if name in self.stack.replicas_of("hospital") else []
            wait_for("%s says %s and no more" % (name, expected), lambda: [
                reason for reason in self.reasons(name) if not reason.startswith("the database went back:")] == expected)


def _plain(event_id):
    return event_id.hex() if isinstance(event_id, bytes) else event_id.replace("-", "")
