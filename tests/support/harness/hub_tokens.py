"""JSON Web Tokens for a hub, made with nothing but the standard library (RFC 7515, 7518, 7519)."""

import base64
import hashlib
import hmac
import json
import time

EVERYTHING = {"publish": ["*"], "join": ["*"], "users": ["*"], "all": True}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(secret, header, claims):
    """A token in compact form, whatever the header says, signed as HS256 has it."""
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return signed + "." + base64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


def claims(user, rights=None, *, lasts=3600, **more):
    """What a token for a user says. `lasts`: seconds from now, negative for one that has expired."""
    found = {"sub": user, "exp": int(time.time()) + lasts, **more}
    return found if rights is None else {**found, "sluice": rights}


class Issuer:
    """Somebody whose tokens a hub trusts: a secret, and the settings that name its file."""

    def __init__(self, folder, secret=b"0123456789abcdef0123456789abcdef", more=""):
        file = folder / "issuer.key"
        file.write_bytes(secret + b"\n")
        file.chmod(0o600)
        self._secret = secret
        self.settings = f'[auth]\n{more}\n[[auth.key]]\nfile = "{file}"\nalgorithm = "HS256"\n'

    def token(self, user, rights=None, **more):
        return sign(self._secret, {"alg": "HS256", "typ": "JWT"}, claims(user, rights, **more))
