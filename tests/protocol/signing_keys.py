"""Tests the keys that sign tokens, and the tokens that screenctl signs, against the program openssl. No service runs."""
import base64
import json
import os
import stat
import subprocess
import tempfile
import time

from kit import jwt
from kit.deadline import DEADLINE_S
from kit.marks import once
from kit.pki import BRIDGE, MODES, PROGRAMS, done, every_file, issue, made_pki, read_json, screenctl
from kit.screenctl import check_error
from kit.stack import program

HOSPITAL = "20a6a75c-5177-54e8-85ed-c48c78bb96e1"
OTHER = "30a6a75c-5177-54e8-85ed-c48c78bb96e1"


@once
def test_token_issue_signs_what_was_asked_for(driver):
    del driver
    with made_pki() as (_, pki):
        key = read_json(pki, "screening.jwks.json")["keys"][0]
        before = int(time.time())
        for words, role, hours, more in (
                (("--role", "customer"), "customer", 12, {}),
                (("--role", "admin", "--hours", "720"), "admin", 720, {}),
                (("--role", "auditor", "--hours=1"), "auditor", 1, {}),
                (("--role", "staff", "--hospital", HOSPITAL.upper(), "--hospital", OTHER), "staff", 12,
                 {"hospitals": [HOSPITAL, OTHER]})):
            token = issue(pki, "--sub", "김-하늘", *words)
            header, claims, _ = jwt.parts(token)
            assert header == {"alg": "ES256", "typ": "JWT", "kid": key["kid"]}
            assert before <= claims["iat"] <= time.time() and claims["exp"] == claims["iat"] + hours * 3600
            assert claims.pop("jti") != claims["iat"]
            assert claims == {"iss": "screening", "aud": "screening", "sub": "김-하늘", "role": role,
                              "iat": claims["iat"], "exp": claims["exp"]} | more
            assert jwt.is_signed_by(token, key)
            assert not jwt.is_signed_by(token, read_json(pki, "booking-svc.jwks.json")["keys"][0])
        assert jwt.is_signed_by(jwt.signed({"sub": "a"}, read_json(pki, "screening.key.json")), key)  # as the demo's thief does
        ids = {jwt.parts(issue(pki, "--sub", "a", "--role", "admin"))[1]["jti"] for _ in range(3)}
        assert len(ids) == 3


@once
def test_token_show_prints_the_claims_and_never_the_token(driver):
    del driver
    with tempfile.TemporaryDirectory() as folder:
        pki, kept = folder + "/pki", folder + "/token"
        done("pki", "init", pki)
        words = ("token", "issue", "--key", pki + "/screening.key.json", "--sub", "kim", "--role", "staff", "--hospital", HOSPITAL)
        assert done(*words, "--out", kept) == "" and stat.S_IMODE(os.stat(kept).st_mode) == 0o600
        os.chmod(kept, 0o644)
        done(*words, "--out", kept, umask=0)  # a file with a wrong mode is replaced, too
        assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600 and os.listdir(folder).count("token") == 1
        done(*words, "--out", "token", cwd=folder)
        with open(kept, encoding="ascii") as file:
            token = file.read().strip()
        shown = done("token", "show", kept)
        assert "not expired" in shown and HOSPITAL in shown and "kim" in shown
        assert json.loads(done("--json", "token", "show", kept)) == jwt.parts(token)[1]
        assert done("token", "show", "-", stdin_text=token + "\n") == shown
        for part in token.split("."):
            assert part not in shown and part not in done("--json", "token", "show", kept)
        os.chmod(kept, 0o604)
        check_error(screenctl("token", "show", kept), 1, kept, "0604")
        old = ".".join((token.split(".", maxsplit=1)[0], jwt.encode({"sub": "\x1b[2J", "exp": 1}), "AA"))
        shown = screenctl("token", "show", "-", stdin_text=old).stdout
        assert "\x1b" not in shown and "expired" in shown and "not expired" not in shown
        for text in ("", "a", "a.b", "a.b.c", "a.!!.c", "a." + jwt.encode([]) + ".c", "..", "a" * 9000):
            check_error(screenctl("token", "show", "-", stdin_text=text), 1, "-: ")


def change_set(pki, name, change):
    """Passes the keys of a set to `change` and writes them back."""
    keys = read_json(pki, name)
    change(keys["keys"])
    with open(pki + "/" + name, "w", encoding="ascii") as file:
        json.dump(keys, file)


@once
def test_keys_rotate_keeps_the_old_key_until_its_last_token_has_expired(driver):
    del driver
    with made_pki() as (_, pki):
        before = {name: read_json(pki, name + ".jwks.json")["keys"][0] for name in ("screening", *PROGRAMS)}
        old = issue(pki, "--sub", "a", "--role", "admin", "--hours", "720")
        now = int(time.time())
        done("keys", "rotate", pki)
        assert every_file(pki) == MODES
        for name, key in before.items():
            new, kept = read_json(pki, name + ".jwks.json")["keys"]
            private = read_json(pki, name + (".key.json" if name == "screening" else "/token.key.json"))
            assert new == {member: value for member, value in private.items() if member != "d"} and new["kid"] != key["kid"]
            end = kept.pop("exp")
            assert kept == key
            # The last token: 720 hours for people, 5 minutes for services; and 60 seconds of skew.
            assert end >= now + (720 * 3600 + 60 if name == "screening" else 360)
        assert jwt.parts(old)[1]["exp"] < read_json(pki, "screening.jwks.json")["keys"][1]["exp"]
        new = issue(pki, "--sub", "a", "--role", "admin")
        keys = {key["kid"]: key for key in read_json(pki, "screening.jwks.json")["keys"]}
        for token in (old, new):
            assert jwt.is_signed_by(token, keys[jwt.parts(token)[0]["kid"]])
        assert jwt.parts(old)[0]["kid"] != jwt.parts(new)[0]["kid"]
        # Nothing has expired, so nothing is dropped, and the instants stay.
        sets = {name: read_json(pki, name + ".jwks.json") for name in before}
        done("keys", "prune", pki)
        assert sets == {name: read_json(pki, name + ".jwks.json") for name in before}

        def expire(keys):
            keys[1]["exp"] = int(time.time()) - 1
        change_set(pki, "screening.jwks.json", expire)
        report = json.loads(done("--json", "keys", "prune", pki))["keys"]
        assert [(one["issuer"], one["replaced"], one["dropped"]) for one in report] == [
            ("screening", 0, 1), *((name, 1, 0) for name in PROGRAMS)]
        assert [key["kid"] for key in read_json(pki, "screening.jwks.json")["keys"]] == [jwt.parts(new)[0]["kid"]]


@once
def test_keys_rotate_of_one_signer_leaves_the_others_and_revoke_keeps_no_old_key(driver):
    del driver
    with made_pki() as (_, pki):
        names = ("screening", *PROGRAMS)

        def counts():
            return [len(read_json(pki, name + ".jwks.json")["keys"]) for name in names]
        done("keys", "rotate", pki, "--issuer")
        assert counts() == [2, 1, 1, 1, 1, 1]
        done("keys", "rotate", pki, "--service", "history-svc")
        done("keys", "rotate", pki, "--service", "history-svc")
        assert counts() == [2, 1, 1, 3, 1, 1]
        stolen = issue(pki, "--sub", "a", "--role", "admin")
        done("keys", "rotate", pki, "--issuer", "--revoke")
        assert counts() == [1, 1, 1, 3, 1, 1]
        (key,) = read_json(pki, "screening.jwks.json")["keys"]
        assert not jwt.is_signed_by(stolen, key)
        # An expired key is dropped by the next rotation, too.
        change_set(pki, "history-svc.jwks.json", lambda keys: [key.update(exp=1) for key in keys[1:]])
        done("keys", "rotate", pki, "--service", "history-svc")
        assert counts() == [1, 1, 1, 2, 1, 1]
        done("keys", "rotate", pki, "--service", BRIDGE)
        assert counts() == [1, 1, 1, 2, 1, 2]


@once
def test_keys_of_an_earlier_version_which_knew_no_bridge_are_rotated_and_shown(driver):
    del driver
    with made_pki() as (_, pki):
        os.unlink("%s/%s/token.key.json" % (pki, BRIDGE))
        os.rmdir(os.path.join(pki, BRIDGE))
        os.unlink("%s/%s.jwks.json" % (pki, BRIDGE))
        done("keys", "rotate", pki)
        assert not os.path.exists("%s/%s.jwks.json" % (pki, BRIDGE))
        done("pki", "renew", pki)
        assert BRIDGE not in done("pki", "show", pki)
        check_error(screenctl("keys", "rotate", pki, "--service", BRIDGE), 1, BRIDGE + ".jwks.json")


@once
def test_keys_rotate_loses_no_key_when_it_is_interrupted_or_runs_twice_at_once(driver):
    del driver
    with made_pki() as (folder, pki):
        key = pki + "/booking-svc/token.key.json"
        os.rename(key, folder + "/key")
        os.mkdir(key)  # the set is replaced, and then the key cannot be
        check_error(screenctl("keys", "rotate", pki, "--service", "booking-svc"), 1, key)
        os.rmdir(key)
        os.rename(folder + "/key", key)
        kid = read_json(key)["kid"]
        assert [one["kid"] for one in read_json(pki, "booking-svc.jwks.json")["keys"]].index(kid) == 1
        done("keys", "rotate", pki, "--service", "booking-svc")
        keys = read_json(pki, "booking-svc.jwks.json")["keys"]
        assert [one["kid"] for one in keys][0] == read_json(key)["kid"] and ["exp" in one for one in keys] == [False, True, True]

        words = [program("screenctl"), "keys", "rotate", pki, "--issuer"]
        runs = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(8)]
        assert [run.wait(DEADLINE_S) for run in runs] == [0] * 8
        keys = read_json(pki, "screening.jwks.json")["keys"]
        assert len({one["kid"] for one in keys}) == 9 and keys[0]["kid"] == read_json(pki, "screening.key.json")["kid"]
        assert every_file(pki) == MODES


@once
def test_instants_beyond_the_calendar_are_shown_without_harm(driver):
    del driver
    with made_pki() as (_, pki):
        for claims in ('{"exp":1e300,"iat":-1e300,"nbf":9223372036854775807}', '{"exp":-9223372036854775808}', '{"exp":1e19}'):
            token = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ('{"alg":"ES256"}', claims, "x"))
            shown = done("token", "show", "-", stdin_text=token)
            assert "exp" in shown and ("not expired" in shown) == ("-922" not in claims), shown
        path = pki + "/booking-svc.jwks.json"
        for end in (9223372036854775807, -9223372036854775808):
            keys = read_json(path)["keys"]
            with open(path, "w", encoding="ascii") as file:
                json.dump({"keys": [keys[0], {**keys[0], "kid": "old", "exp": end}]}, file)
            done("pki", "show", pki)
            old = [entry for entry in json.loads(done("--json", "pki", "show", pki))["entries"] if entry["keyId"] == "old"]
            assert len(old) == 1 and old[0]["expires"] == ("9999-12-31T00:00:00.000000Z" if end > 0 else None), old


@once
def test_keys_refuse_a_set_that_is_none_or_holds_a_private_key(driver):
    del driver
    with made_pki() as (folder, pki):
        private = read_json(pki, "screening.key.json")
        path = pki + "/screening.jwks.json"
        for content in ("", "{", "[]", '{"keys": 1}', '{"keys": [{"kty": "EC"}]}', '{"keys": [], "keys": []}',
                        json.dumps({"keys": [private]}), " " * 1048577):
            with open(path, "w", encoding="ascii") as file:
                file.write(content)
            for words in (("keys", "rotate", pki, "--issuer"), ("keys", "prune", pki), ("pki", "show", pki)):
                check_error(screenctl(*words), 1, "FAILED_PRECONDITION", path)
        assert read_json(pki, "screening.key.json") == private
        check_error(screenctl("keys", "rotate", folder + "/absent"), 1, folder + "/absent")


@once
def test_pki_keys_and_token_name_the_wrong_argument(driver):
    del driver
    with made_pki() as (folder, pki):
        key = ("token", "issue", "--key", pki + "/screening.key.json", "--sub", "a")
        hospital = ("--hospital", HOSPITAL)
        for words, names in (
                (("pki", "init"), ["DIR"]), (("pki", "init", ""), ["DIR"]),
                (("pki", "init", "x", "--days", "0"), ["--days 0"]), (("pki", "init", "x", "--days", "3651"), ["--days 3651"]),
                (("pki", "init", "x", "--host", "a,DNS:b"), ["--host a,DNS:b"]), (("pki", "init", "x", "--host="), ["--host"]),
                (("pki", "init", "x", "--host=-a"), ["--host -a"]), (("pki", "init", "x", "--host", "*.a"), ["--host *.a"]),
                (("pki", "init", "x", "--host", "a" * 64), ["--host"]), (("pki", "init", "x", "--host", "a..b"), ["--host"]),
                (("pki", "renew", pki, "--service", "screening"), ["--service screening", "front"]),
                (("pki", "renew", pki, "--days", "0"), ["--days 0"]), (("pki", "show"), ["DIR"]),
                (("keys", "rotate", pki, "--service", "front"), ["--service front"]),
                (("keys", "rotate", pki, "--service", "booking-svc", "--issuer"), ["--issuer"]), (("keys", "prune"), ["DIR"]),
                (("token", "issue", "--sub", "a", "--role", "admin"), ["--key"]),
                ((*key,), ["--role"]), ((*key, "--role", "service"), ["--role service"]),
                ((*key, "--role", "admin", "--hours", "0"), ["--hours 0"]), ((*key, "--role", "admin", "--hours", "721"), ["--hours 721"]),
                ((*key, "--role", "staff"), ["--hospital"]), ((*key, "--role", "customer", *hospital), ["--hospital"]),
                ((*key, "--role", "staff", "--hospital", "x"), ["--hospital", "UUID"]),
                ((*key, "--role", "staff", *hospital * 65), ["--hospital", "64"]),
                ((*key, "--role", "admin", "--sub", ""), ["--sub"]), ((*key, "--role", "admin", "--sub", "a b"), ["--sub"]),
                ((*key, "--role", "admin", "--sub", "a\nb"), ["--sub"]), ((*key, "--role", "admin", "--sub", "한" * 22), ["--sub"]),
                (("token", "show"), ["FILE"])):
            check_error(screenctl(*words), 2, *names)
        for path, word in (("/absent", "No such file"), ("/screening.jwks.json", "0644"), ("/services-ca.key", "JSON")):
            check_error(screenctl("token", "issue", "--key", pki + path, "--sub", "a", "--role", "admin"), 1, "--key", pki + path, word)
        check_error(screenctl(*key, "--role", "admin", "--out", folder + "/absent/token"), 1, folder + "/absent/token")
        assert os.listdir(folder) == ["pki"] and every_file(pki) == MODES
