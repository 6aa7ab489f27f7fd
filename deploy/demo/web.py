"""Single calls over HTTP, through the gateway."""

import http.client
import json
import shlex

import interrupts
from kit.web import Client
from problems import StackError

ANSWER_S = 30


class Web:
    """Calls a server at HOST:PORT, each time over a new connection."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None, **fields):
        """Sends a request; `fields` are header fields, with _ for -."""
        interrupts.check()
        client = Client(self.address, timeout=ANSWER_S)
        try:
            return client.request(method, path, body, headers=_head(fields))
        except http.client.HTTPException as problem:
            raise StackError("%s %s: %r" % (method, path, problem)) from problem
        finally:
            client.close()

    def shown(self, method, path, body=None, **fields):
        """Returns the request as a user would type it."""
        words = ["curl", "-X", method]
        for name, value in _head(fields).items():
            words += ["-H", "%s: %s" % (name, value)]
        if body is not None:
            words += ["--json", json.dumps(body, ensure_ascii=False)]
        return shlex.join(words + ["http://%s%s" % (self.address, path)])


def _head(fields):
    return {name.replace("_", "-"): value for name, value in fields.items()}
