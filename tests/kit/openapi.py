"""Checks REST answers against openapi.json. Supports the part of JSON Schema that openapi.json uses."""

import re

from . import web

KEYWORDS = {"type", "description", "properties", "required", "items", "enum", "$ref", "additionalProperties", "pattern",
            "examples", "format", "minimum", "maximum", "minLength", "maxLength", "maxItems"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
DESCRIBED_HEADERS = ("ETag", "Link", "Location", "Retry-After", "WWW-Authenticate")


class Undocumented(AssertionError):
    """Raised if the document does not describe what was received."""


class Document:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            steps = node["$ref"].split("/")
            assert steps[0] == "#", node
            node = self.document
            for step in steps[1:]:
                node = node[step]
        return node

    def operations(self):
        """Returns (method, path template) of each operation."""
        return {(method.upper(), path) for path, item in self.document["paths"].items() for method in item}

    def find(self, method, path):
        """Returns (path template, operation) for a real path. Returns (None, None) if the document does not describe the path, and
        (path template, None) if it does not describe the method."""
        for template, item in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return template, item.get(method.lower())
        return None, None

    # ---- schemas

    def faults(self, value, schema, where="$"):
        """Returns a message for each violation of the schema by the value."""
        schema = self.resolve(schema)
        unknown = set(schema) - KEYWORDS
        assert not unknown, "keywords that are not checked here: %s" % unknown
        kind = TYPES[schema["type"]]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return ["%s: %r is no %s" % (where, value, schema["type"])]
        if kind is dict:
            return self._object_faults(value, schema, where)
        if kind is list:
            return [fault for i, item in enumerate(value)
                    for fault in self.faults(item, schema["items"], "%s[%d]" % (where, i))]
        wrong = []
        if "enum" in schema and value not in schema["enum"]:
            wrong.append("%s: %r is none of %s" % (where, value, schema["enum"]))
        if "pattern" in schema and not re.search(schema["pattern"], value):
            wrong.append("%s: %r does not match %s" % (where, value, schema["pattern"]))
        if kind is int and value < schema.get("minimum", value):
            wrong.append("%s: %d is less than %d" % (where, value, schema["minimum"]))
        return wrong

    def _object_faults(self, value, schema, where):
        properties = schema.get("properties", {})
        wrong = ["%s: lacks %s" % (where, name) for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            if name in properties:
                wrong += self.faults(item, properties[name], where + "." + name)
            elif properties:  # a client may accept undocumented fields, but these tests require that every field is documented
                wrong.append("%s: has %s" % (where, name))
        return wrong

    # ---- answers

    def check(self, method, path, answer):
        """Checks that the document describes the answer to a request."""
        template, operation = self.find(method, path.partition("?")[0])
        what = "%s %s answered %r" % (method, path, answer)
        if operation is None:
            if answer.code != (404 if template is None else 405):
                raise Undocumented(what)
            self._check_body(answer, "application/problem+json", {"$ref": "#/components/schemas/Problem"}, what)
            return
        response = operation["responses"].get(str(answer.code))
        if response is None:
            raise Undocumented(what)
        response = self.resolve(response)
        for name in DESCRIBED_HEADERS:
            if name in answer.headers and name not in response.get("headers", {}):
                raise Undocumented("%s with %s" % (what, name))
        content = response.get("content")
        if content is None:
            if answer.body:
                raise Undocumented(what)
            return
        (kind, media), = content.items()
        self._check_body(answer, kind, media["schema"], what)

    def _check_body(self, answer, kind, schema, what):
        if answer.headers["Content-Type"] != kind:
            raise Undocumented("%s as %s" % (what, answer.headers["Content-Type"]))
        if not answer.body.endswith(b"}\n"):
            raise Undocumented("%s that no newline ends" % what)
        wrong = self.faults(answer.json, schema)
        if wrong:
            raise Undocumented("%s: %s" % (what, "; ".join(wrong)))


class Client(web.Client):
    """A client that accepts an answer only if the document that the gateway serves describes it."""

    def __init__(self, address, **more):
        super().__init__(address, **more)
        self.document = Document(super().request("GET", "/openapi.json").json)
        self.seen = set()  # (method, path template, code)

    def request(self, method, path, body=None, headers=None, query=None):
        answer = super().request(method, path, body, headers, query)
        if method != "HEAD":
            self.document.check(method, path, answer)
        self.seen.add((method, self.document.find(method, path.partition("?")[0])[0], answer.code))
        return answer
