"""Issues the tokens of the tests, without the code under test: keys and signatures by python3-cryptography."""

import base64
import json
import os
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from .ids import new_id

AUDIENCE, ISSUER = "screening", "https://id.test"
SERVICES = ("hospital-svc", "booking-svc", "history-svc", "gateway-svc")
ROLES = ("customer", "staff", "admin", "auditor")


def encode(data):
    """Encodes bytes, or anything else as JSON, in base64url without padding."""
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size):
    return encode(value.to_bytes(size, "big"))


class Key:
    """A signing key, ES256 or RS256, with an id."""

    def __init__(self, algorithm="ES256", kid=None):
        self.algorithm, self.kid = algorithm, kid or new_id()
        self.private = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)

    def public(self):
        """Returns the public key as a JWK."""
        numbers = self.private.public_key().public_numbers()
        if self.algorithm == "ES256":
            more = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        else:
            more = {"kty": "RSA", "n": number(numbers.n, 256), "e": number(numbers.e, 3)}
        return {"kid": self.kid, "alg": self.algorithm, "use": "sig", **more}

    def secret(self):
        """Returns the private key as a JWK. ES256 only."""
        return {**self.public(), "d": number(self.private.private_numbers().private_value, 32)}

    def public_pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data):
        if self.algorithm != "ES256":
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, claims, **header):
        """Returns a signed JWT. `header` replaces members of its header; None removes one."""
        members = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        parts = encode({name: value for name, value in members.items() if value is not None}) + "." + encode(claims)
        return parts + "." + encode(self.sign(parts.encode()))


def claims(role, subject, issuer=ISSUER, audience=AUDIENCE, lifetime_s=3600, **more):
    """Returns the claims of a token. `more` adds claims; None removes one."""
    now = int(time.time())
    made = {"iss": issuer, "aud": audience, "sub": subject, "role": role, "iat": now, "nbf": now, "exp": now + lifetime_s, **more}
    return {name: value for name, value in made.items() if value is not None}


class Keyring:
    """The issuers of a stack, in a folder of its own: one issuer of people's tokens, and one for each service."""

    def __init__(self, folder):
        self.folder, self.issuer = folder, Key()
        self.services = {name: Key() for name in SERVICES}
        self.issuers_path = os.path.join(folder, "issuers.json")
        os.mkdir(folder, 0o700)
        for name, key in self.services.items():
            self.write(name + ".key.json", key.secret())
            self.write(name + ".jwks.json", {"keys": [key.public()]})
        self.write_keys([self.issuer])
        self.write_issuers()

    def write(self, name, content):
        """Writes a file by replacing it, with mode 0600."""
        path = os.path.join(self.folder, name)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.rename(path + ".new", path)

    def write_keys(self, keys):
        """Writes the keys with which people's tokens may be signed."""
        self.write("people.jwks.json", {"keys": [key.public() for key in keys]})

    def write_issuers(self, *more):
        people = {"issuer": ISSUER, "audience": AUDIENCE, "keys": "people.jwks.json", "scope_claim": "hospitals",
                  "roles": {"claim": "role", "values": {role: role for role in ROLES}}}
        own = [{"issuer": name, "audience": "@program", "keys": name + ".jwks.json", "roles": {"always": "service"}}
               for name in SERVICES]
        self.write("issuers.json", {"issuers": [people, *own, *more]})

    def key_path(self, program):
        return os.path.join(self.folder, program + ".key.json")

    def token(self, role, subject=None, **more):
        """Returns the token of a person: customer, staff (with `hospitals`), admin or auditor."""
        return self.issuer.token(claims(role, subject or role, **more))

    def token_file(self, subject, role="admin"):
        """Writes a new token to a file of mode 0600. Returns its path."""
        path = os.path.join(self.folder, subject + ".token")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(self.token(role, subject) + "\n")
        return path

    def service_token(self, service, audience, **more):
        """Returns a token with which one service calls another."""
        return self.services[service].token(claims(None, service, **{"issuer": service, "audience": audience, "lifetime_s": 300, **more}))
