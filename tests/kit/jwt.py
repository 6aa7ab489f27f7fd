"""Reads, verifies and signs tokens without the code under test: JSON by Python, signatures by the program openssl."""
import base64
import json
import subprocess
import tempfile

# The DER of a public key on P-256 (RFC 5480) up to its point.
P256_NAME = bytes.fromhex("a00a06082a8648ce3d030107")  # in the DER of a private key (RFC 5915)
P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def decode(text):
    """Decodes base64url without padding."""
    assert "=" not in text, text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(document):
    """Encodes a document as a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def parts(token):
    """Returns header, claims and signature of a compact JWT, without verifying it."""
    header, claims, signature = token.split(".")
    return json.loads(decode(header)), json.loads(decode(claims)), decode(signature)


def public_pem(jwk):
    """Returns the public key of a JWK on P-256 as PEM."""
    assert jwk["kty"] == "EC" and jwk["crv"] == "P-256", jwk
    der = P256_PREFIX + b"\x04" + decode(jwk["x"]) + decode(jwk["y"])
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


def integer(number):
    """Returns the DER of a positive integer that is given as bytes."""
    number = number.lstrip(b"\0")
    number = b"\0" + number if number[:1] >= b"\x80" or not number else number
    return b"\x02" + bytes([len(number)]) + number


def is_signed_by(token, jwk):
    """Returns whether openssl accepts the ES256 signature of the token."""
    signature = parts(token)[2]
    if len(signature) != 64:
        return False
    pair = integer(signature[:32]) + integer(signature[32:])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key.pem", public_pem(jwk)), ("signature", b"\x30" + bytes([len(pair)]) + pair)):
            with open(folder + "/" + name, "wb") as file:
                file.write(content)
        return subprocess.run(["openssl", "dgst", "-sha256", "-verify", folder + "/key.pem", "-signature", folder + "/signature"],
                              input=token.rpartition(".")[0].encode(), capture_output=True, check=False).returncode == 0


def private_pem(jwk):
    """Returns the private key of a JWK on P-256 as PEM (RFC 5915)."""
    point = b"\x04" + decode(jwk["x"]) + decode(jwk["y"])
    der = b"\x30\x77\x02\x01\x01\x04\x20" + decode(jwk["d"]) + P256_NAME + b"\xa1\x44\x03\x42\x00" + point
    return b"-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END EC PRIVATE KEY-----\n"


def signed(claims, jwk):
    """Returns a token with these claims, signed with a private key on P-256."""
    text = encode({"alg": "ES256", "typ": "JWT", "kid": jwk["kid"]}) + "." + encode(claims)
    with tempfile.NamedTemporaryFile() as key:  # which only this user can read
        key.write(private_pem(jwk))
        key.flush()
        pair = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key.name], input=text.encode(), capture_output=True,
                              check=True).stdout
    size = pair[3]  # of the first of the two numbers, which DER makes shorter or longer than 32 bytes
    r, s = (number.lstrip(b"\0").rjust(32, b"\0") for number in (pair[4:4 + size], pair[6 + size:]))
    return text + "." + base64.urlsafe_b64encode(r + s).rstrip(b"=").decode()
