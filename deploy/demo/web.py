"""Makes single calls over HTTP, through the gateway."""

import http.client
import json
import shlex

import interrupts
from accounts import read_token
from kit.web import Client
from problems import StackError

ANSWER_S = 30


class Web:
    """A client of the server at HOST:PORT, which sends the token in a file unless `token_file` is None. Each call uses a new
    connection."""

    def __init__(self, address, token_file=None):
        self.address, self.token_file = address, token_file

    def with_token(self, token_file):
        """Returns a client of the same server with another token. None means no token."""
        return Web(self.address, token_file)

    def ask(self, method, path, body=None, **fields):
        """Sends a request. `fields` are header fields; _ in a name stands for -."""
        interrupts.check()
        client = Client(self.address, timeout=ANSWER_S)
        try:
            return client.request(method, path, body, headers={**self._token(), **_head(fields)})
        except http.client.HTTPException as problem:
            raise StackError("%s %s: %r" % (method, path, problem)) from problem
        finally:
            client.close()

    def shown(self, method, path, body=None, **fields):
        """Returns the request as a user would type it."""
        words = ["-X", method]
        for name, value in _head(fields).items():
            words += ["-H", "%s: %s" % (name, value)]
        if body is not None:
            words += ["--json", json.dumps(body, ensure_ascii=False)]
        token = '-H "Authorization: Bearer $(cat %s)" ' % shlex.quote(str(self.token_file)) if self.token_file else ""
        return "curl " + token + shlex.join(words + ["http://%s%s" % (self.address, path)])

    def _token(self):
        return {"Authorization": "Bearer " + read_token(self.token_file)} if self.token_file else {}


def _head(fields):
    return {name.replace("_", "-"): value for name, value in fields.items()}
