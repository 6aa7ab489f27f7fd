"""Sends HTTP requests to gateway-svc."""

import http.client
import json
import urllib.parse

from . import credentials


class Answer:
    """An answer: its code, its headers (names in any case), and its body as bytes and as JSON."""

    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def place(self):
        """Returns the path of the created object. Location is relative to a path of one segment."""
        return "/" + self.headers["Location"]

    def __repr__(self):
        return "%d %s" % (self.code, self.body.decode("utf-8", "replace"))


class Client:
    """A client with one persistent connection. A `body` of bytes is sent unchanged, any other as JSON. `token` is the caller's, or
    None."""

    def __init__(self, address, timeout=60.0, source="", token=credentials.DEFAULT):
        self.token = token
        self.connection = http.client.HTTPConnection(address, timeout=timeout, source_address=(source, 0) if source else None)

    def request(self, method, path, body=None, headers=None, query=None):
        head = dict(credentials.fields((headers or {}).items(), self.token, name="Authorization"))
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            head.setdefault("Content-Type", "application/json")
        try:
            self.connection.request(method, path, body=body, headers=head)
            reply = self.connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        except BaseException:
            self.connection.close()  # otherwise the next request would read the rest of this answer
            raise

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def close(self):
        self.connection.close()
