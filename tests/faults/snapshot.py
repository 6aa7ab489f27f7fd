"""Reads the contents of the three databases as lists of dicts. The databases are not read at one instant, so read them after the
traffic has stopped and the services have completed their work."""
import datetime
import json
import uuid
import zoneinfo

from kit.rpc import event_pb2

from .history import plain

_EVENT = ("seq", "event_id", "type", "occurred_at_us", "event")
_HEAD = ("log_id", "head_seq", "head_event_id")
_CURSOR = ("log", "log_id", "seq", "event_id")
_DEAD = ("log", "seq", "event_id", "type", "reason")
_BOOKING = ("booking_id", "customer_id", "customer_name", "hospital_id", "date", "headcount", "status", "status_reason",
            "created_at_us", "updated_at_us", "version")

# A tuple is (name in the snapshot, service that owns the database, name of the table, columns).
TABLES = (
    ("hospitals", "hospital", "hospital", ("hospital_id", "name", "state")),
    ("days", "hospital", "screening_day", ("hospital_id", "date", "capacity", "reserved", "version")),
    ("reservations", "hospital", "reservation",
     ("booking_id", "hospital_id", "date", "headcount", "state", "taken_commit", "released_commit")),
    ("capacity_changes", "hospital", "capacity_change", ("hospital_id", "date", "version", "capacity", "commit_no")),
    ("commit_counter", "hospital", "commit_counter", ("commit_no",)),
    ("hospital_events", "hospital", "event_log", _EVENT),
    ("hospital_head", "hospital", "event_log_head", _HEAD),
    ("hospital_cursors", "hospital", "event_cursor", _CURSOR),
    ("hospital_dead_letters", "hospital", "dead_letter", _DEAD),
    ("bookings", "booking", "booking", _BOOKING + ("queue_if_unavailable", "announced")),
    ("deletions", "booking", "hospital_deletion", ("hospital_id", "day", "done")),
    ("booking_events", "booking", "event_log", _EVENT),
    ("booking_head", "booking", "event_log_head", _HEAD),
    ("booking_cursors", "booking", "event_cursor", _CURSOR),
    ("booking_dead_letters", "booking", "dead_letter", _DEAD),
    ("summaries", "history", "booking_summary", _BOOKING),
    ("entries", "history", "timeline_entry",
     ("booking_id", "version", "event_id", "status", "reason", "occurred_at_us", "source", "seq")),
    ("history_hospitals", "history", "hospital", ("hospital_id", "name", "deleted_day")),
    ("history_cursors", "history", "event_cursor", _CURSOR),
    ("history_dead_letters", "history", "dead_letter", _DEAD),
    ("unknown_events", "history", "unknown_event", ("log", "seq", "event_id", "type")),
)


def _rows(stack, service):
    """Yields (name in the snapshot, row) of all tables of one service."""
    queries = {name: (columns, "SELECT %s FROM %s" % (", ".join(columns), table))
               for name, owner, table, columns in TABLES if owner == service}
    if stack.url(service).startswith("sqlite:"):
        for name, (columns, query) in queries.items():
            for row in stack.rows(service, query):
                yield name, dict(zip(columns, row))
        return
    # One statement reads all tables at one instant. Each row is a line of JSON, because texts may contain any character.
    parts = ["SELECT '%s', row_to_json(t)::text FROM (%s) t" % (name, query) for name, (_, query) in queries.items()]
    for name, row in stack.rows(service, " UNION ALL ".join(parts)):
        yield name, json.loads(row)


def _tidy(row):
    """Makes the rows of both drivers alike: ids become text, and an event becomes its fields."""
    for column, value in row.items():
        if column == "event":
            packed = bytes.fromhex(value[2:]) if isinstance(value, str) else value
            row[column] = plain(event_pb2.Event.FromString(packed))
        elif isinstance(value, bytes):
            row[column] = str(uuid.UUID(bytes=value))
    return row


def read(stack, zone="Asia/Seoul"):
    """Returns the contents of the databases of a kit Stack. "today" is the clinic's date. If the test changed clocks, it must set
    "today" to the latest date that any service saw."""
    found = {name: [] for name, *_ in TABLES}
    for service in ("hospital", "booking", "history"):
        for name, row in _rows(stack, service):
            found[name].append(_tidy(row))
    found["today"] = datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date().isoformat()
    return found


def save(snapshot, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(snapshot, file, ensure_ascii=False)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
