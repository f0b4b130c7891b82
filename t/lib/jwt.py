"""Tokens (RFC 7519) whose signatures openssl makes, and their keys as a set."""
import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time

MAKE_S = 60
# alg: how a key of it is made
KEYS = {
    "RS256": ["rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
    "PS256": ["rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ES256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "EdDSA": ["ed25519"],
}
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *map(str, args)], check=True,
                          capture_output=True, input=stdin,
                          timeout=MAKE_S).stdout


def claims(**more):
    """Of a token that is good for an hour; None takes one away."""
    now = int(time.time())
    all_ = {"sub": "anna", "iat": now, "exp": now + 3600, **more}
    return {k: v for k, v in all_.items() if v is not None}


def join(header, payload, sign):
    parts = ".".join(b64(p if isinstance(p, bytes) else
                         json.dumps(p).encode()) for p in (header, payload))
    return f"{parts}.{b64(sign(parts.encode()))}"


class Secret:
    """HS256."""

    def __init__(self, secret, kid=None):
        self.alg, self.secret, self.kid = "HS256", secret, kid

    def sign(self, data):
        return hmac.digest(self.secret, data, hashlib.sha256)

    def token(self, payload=None, **header):
        return join({"alg": self.alg, **header},
                    claims() if payload is None else payload, self.sign)


class Key(Secret):
    """A pair of keys in a folder, for one algorithm."""

    def __init__(self, folder, alg, kid):
        self.alg, self.kid = alg, kid
        self.path = pathlib.Path(folder) / f"{kid}.key"
        openssl("genpkey", "-algorithm", *KEYS[alg], "-out", self.path)
        self.public = openssl("pkey", "-in", self.path, "-pubout", "-outform",
                              "DER")

    def jwk(self, **more):
        if self.alg == "ES256":
            point = self.public[-64:]
            key = {"kty": "EC", "crv": "P-256", "x": b64(point[:32]),
                   "y": b64(point[32:])}
        elif self.alg == "EdDSA":
            key = {"kty": "OKP", "crv": "Ed25519", "x": b64(self.public[-32:])}
        else:
            n = openssl("rsa", "-in", self.path, "-noout", "-modulus")
            n = bytes.fromhex(n.decode().strip().split("=")[1])
            key = {"kty": "RSA", "n": b64(n), "e": "AQAB"}
        return {"kid": self.kid, "use": "sig", **key, **more}

    def sign(self, data):
        if self.alg == "EdDSA":
            raw = self.path.with_suffix(".data")
            raw.write_bytes(data)
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path,
                           "-in", raw)
        made = openssl("dgst", "-sha256", "-sign", self.path,
                       *(PSS if self.alg == "PS256" else []), stdin=data)
        return self._raw(made) if self.alg == "ES256" else made

    @staticmethod
    def _raw(der):
        """r and s side by side, out of SEQUENCE { INTEGER, INTEGER }."""
        numbers, at = b"", 2
        for _ in range(2):
            n = der[at + 1]
            numbers += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + n
        return numbers


def key_set(*keys):
    return json.dumps({"keys": list(keys)})
