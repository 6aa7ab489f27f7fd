"""Checks that docs/wire-protocol.md, openapi.json and the string literals of the product's C sources use the words of the contract
(proto/screening/v1/words.h and the .proto files). `texts` maps each path to the content of the file, so that a test can change the
content (words_test.py)."""
import json
import re

HEADER, DOCUMENT, OPENAPI, STATUS = "proto/screening/v1/words.h", "docs/wire-protocol.md", "gateway-svc/openapi.json", "lib/base/status.h"
PRODUCT = re.compile(r"^(lib|hospital-svc|booking-svc|history-svc|gateway-svc|jetstream-bridge|cli)/.*\.[ch]$")
TEST = re.compile(r"(_test|_testing|_fake|_fuzz|_fixture|_support|/play|/test_\w+)\.[ch]$")
COMMENT_OR_LITERAL = re.compile(r"/\*.*?\*/|'(?:\\.|[^'\\\n])'|(?:\bN_\()?\"((?:\\.|[^\"\\\n])*)\"", re.S)


def header(text):
    """Returns ({"REASON": {...}, "EVENT": ..., "LOG": ..., "LOG_STATE": ...}, messages). The messages name the macros whose name
    differs from their word."""
    words = {"REASON": set(), "EVENT": set(), "LOG": set(), "LOG_STATE": set()}
    wrong = []
    for kind, name, word in re.findall(r'^#define SCREENING_(REASON|EVENT|LOG_STATE|LOG)_(\w+) +"(.*)"$', text, re.M):
        words[kind].add(word)
        if name != re.sub(r"\W", "_", word).upper():
            wrong.append("%s: SCREENING_%s_%s is %s" % (HEADER, kind, name, word))
    assert all(words.values()), "words.h was not understood"
    return words, wrong


def section(text, number):
    return re.search(r"^## %d\. .*?(?=^## |\Z)" % number, text, re.M | re.S)[0]


def differ(where, found, wanted, source):
    """Returns a message for each word of `wanted` that is missing in `found`, and for each word that is only in `found`. `where`
    and `source` name the two places."""
    return ["%s: lacks %s of %s" % (where, word, source) for word in sorted(wanted - found)] + \
           ["%s: %s is not in %s" % (where, word, source) for word in sorted(found - wanted)]


def enum_values(texts, path, name):
    """Returns {value: number} of an enum, without the unspecified value."""
    body = re.search(r"^enum %s \{(.*?)^\}" % name, texts[path], re.M | re.S)[1]
    return {value: int(number) for value, number in re.findall(r"(\w+) = (\d+);", body) if number != "0"}


def services(texts):
    """Returns {service: {method: the fields of its request}} of the .proto files in proto/screening."""
    found = {}
    for path, text in texts.items():
        if not path.startswith("proto/screening/") or not path.endswith(".proto"):
            continue
        for service, body in re.findall(r"^service (\w+) \{(.*?)^\}", text, re.M | re.S):
            found[service] = {}
            for method, request in re.findall(r"rpc (\w+)\((\w+)\)", body):
                fields = re.search(r"^message %s \{(.*?)^\}" % request, text, re.M | re.S)[1]
                found[service][method] = re.findall(r"(\w+) = \d+;", fields)
    return found


def reasons_wrong(document, words):
    codes_and_reasons = section(document, 4)
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", codes_and_reasons, re.M))
    return differ(DOCUMENT + ", section 4", listed, words["REASON"], HEADER)


def codes_wrong(texts, words):
    """Returns the codes in docs/wire-protocol.md that have a wrong number, and the words in code style there that are neither a
    reason nor a code."""
    codes = {name: int(number) for name, number in re.findall(r"^    STATUS_(\w+) = (\d+),", texts[STATUS], re.M)}
    listed = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", section(texts[DOCUMENT], 4), re.M)
    wrong = ["%s: %s is not %s" % (DOCUMENT, name, number) for number, name in listed if codes.get(name) != int(number)]
    known = words["REASON"] | set(codes)
    return wrong + ["%s: `%s` is no reason and no code" % (DOCUMENT, word)
                    for word in sorted(set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", texts[DOCUMENT])) - known)
                    if not word.startswith("NNG_") and word != "PREFIX"]


def events_wrong(document, words):
    table = re.search(r"^\| Log \| Type \| Body \|\n(.*?)\n\n", section(document, 10), re.M | re.S)[1]
    rows = [row.split("|")[1:3] for row in table.splitlines()[1:]]
    logs = {log for cell, _ in rows for log in re.findall(r"`(\w+)`", cell)}
    types = {word for _, cell in rows for word in re.findall(r"`([\w.]+)`", cell)}
    wrong = differ(DOCUMENT + ", section 10", logs, words["LOG"], HEADER)
    wrong += differ(DOCUMENT + ", section 10", types, words["EVENT"], HEADER)
    named = set(re.findall(r"`((?:%s)\.[a-z_]+)`" % "|".join(words["LOG"]), document))
    return wrong + ["%s: `%s` is not in %s" % (DOCUMENT, word, HEADER) for word in sorted(named - words["EVENT"])]


def states_wrong(texts, words):
    """Returns the differences between docs/wire-protocol.md, section 9, and the contract in the states of logs and in the
    statuses."""
    methods = section(texts[DOCUMENT], 9)
    sentence = re.search(r"^LogStatus: .*, state: (.*)$", methods, re.M)[1]
    wrong = differ(DOCUMENT + ", LogStatus", set(re.findall(r"[A-Z_]{3,}", sentence)), words["LOG_STATE"], HEADER)
    types = "proto/screening/v1/types.proto"
    for name, sentence in (("BookingStatus", r"^Statuses: (.*?)[;.]"), ("HospitalStatus", r"^Hospital: .*status \((.*?)\)")):
        documented = {"%s %s" % pair for pair in re.findall(r"(\d+) ([A-Z_]+)", re.search(sentence, methods, re.M)[1])}
        wrong += differ("%s, %s" % (DOCUMENT, name), documented, {"%d %s" % (number, value) for value, number in
                                                            enum_values(texts, types, name).items()}, types)
    return wrong


def methods_wrong(texts):
    """Returns the differences between docs/wire-protocol.md and the .proto files in the methods of each service and the fields of
    each request."""
    wrong = []
    declared = services(texts)
    assert sum(map(len, declared.values())) > 15, "the .proto files were not understood"
    heads = r"^### screening\.v1\.(\w+) .*?\n(.*?)(?=^### |\Z)"
    documented = {name: dict(re.findall(r"^\| (\w+) \| (.*?) \| ", body, re.M)) for name, body in
            re.findall(heads, section(texts[DOCUMENT], 9), re.M | re.S)}
    wrong += differ(DOCUMENT + ", section 9", set(documented), set(declared), "proto/screening/v1")
    for service in set(documented) & set(declared):
        rows = {method: cell for method, cell in documented[service].items() if method != "Method"}
        wrong += differ("%s, %s" % (DOCUMENT, service), set(rows), set(declared[service]), "its .proto")
        for method in set(rows) & set(declared[service]):
            wrong += ["%s, %s: lacks the field %s" % (DOCUMENT, method, field) for field in declared[service][method]
                      if not re.search(r"\b%s\b" % field, rows[method])]
    return wrong


def openapi_wrong(texts, words):
    """Returns the differences between openapi.json and the contract in the lists of statuses and logs, and in the reasons of the
    examples."""
    schemas = json.loads(texts[OPENAPI])["components"]["schemas"]
    wrong = []
    for name in ("BookingStatus", "HospitalStatus"):
        wrong += differ("%s, %s" % (OPENAPI, name), set(schemas[name]["enum"]),
                        set(enum_values(texts, "proto/screening/v1/types.proto", name)), "types.proto")
    for listed in re.findall(r'"(?:source|log)": \{"type": "string", "enum": (\[.*?\])', texts[OPENAPI]):
        wrong += differ(OPENAPI, set(json.loads(listed)), words["LOG"], HEADER)
    examples = set(re.findall(r'"reason": "([A-Z_]+)"', texts[OPENAPI]))
    described = re.search(r'"for programs: (.*?);', texts[OPENAPI])[1]
    return wrong + ["%s: %s is not in %s" % (OPENAPI, word, HEADER)
                    for word in sorted((examples | set(re.findall(r"[A-Z_]{4,}", described))) - words["REASON"])]


def literals_wrong(texts, words):
    """Returns the places where product code spells a reason or an event type instead of using the macro."""
    spelled = words["REASON"] | words["EVENT"]
    wrong = []
    for path, text in texts.items():
        if PRODUCT.search(path) and not TEST.search(path):
            wrong += ["%s:%d: \"%s\" is a word of %s" % (path, text.count("\n", 0, found.start()) + 1, found[1], HEADER)
                      for found in COMMENT_OR_LITERAL.finditer(text) if found[1] in spelled and not found[0].startswith("N_(")]
    return wrong


def check(texts):
    words, wrong = header(texts[HEADER])
    document = texts[DOCUMENT]
    return wrong + reasons_wrong(document, words) + codes_wrong(texts, words) + events_wrong(document, words) + states_wrong(texts, words) + \
        methods_wrong(texts) + openapi_wrong(texts, words) + literals_wrong(texts, words)
