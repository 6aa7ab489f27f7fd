"""Makes backups and restores with the commands of docs/operations.md."""
import os
import sqlite3
import subprocess
import time

from .ids import new_id
from .stack import DEADLINE_S


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, (words, done.stderr)


def in_one_transaction(*words):
    """Runs a command, and repeats it while PostgreSQL aborts it for a deadlock, or because another restore has just replaced a table. The
    other transaction may belong to the service, or to a service that was just killed."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return command(*words)
        except AssertionError as problem:
            if not any(text in str(problem) for text in ("deadlock detected", "cache lookup failed")) or time.monotonic() > end:
                raise


def back_up(stack, name):
    """Backs up the database of a running service. Returns the path of the backup."""
    path = os.path.join(stack.folder, "%s.%s.backup" % (name, new_id()))
    url = stack.url(name)
    if url.startswith("sqlite:"):
        command("sqlite3", url[len("sqlite:"):], ".timeout 30000", ".backup " + path)
    else:
        in_one_transaction("pg_dump", "--format=custom", "--file=" + path, url)
    return path


def restore(stack, name, path):
    """Restores a backup. With SQLite, the service must be stopped. With PostgreSQL, it may run."""
    url = stack.url(name)
    if url.startswith("sqlite:"):
        file = url[len("sqlite:"):]
        command("rm", "-f", file, file + "-wal", file + "-shm")
        command("cp", path, file)
    else:
        if name == "history":
            command("psql", "--quiet", "--command=DROP SCHEMA IF EXISTS history CASCADE", url)
        in_one_transaction("pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname=" + url, path)


def restore_live(stack, name, path):
    """Restores a backup while the service runs and keeps its database session."""
    url = stack.url(name)
    if url.startswith("sqlite:"):
        with sqlite3.connect(path) as source, sqlite3.connect(url[len("sqlite:"):], timeout=30) as target:
            source.backup(target)
    else:
        restore(stack, name, path)
