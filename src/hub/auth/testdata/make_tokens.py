#!/usr/bin/env python3
"""Writes pyjwt_tokens.json: tokens that somebody else's library made, with the keys that check them.

Run with Debian's python3-jwt and python3-cryptography. The private keys are thrown away. Tokens expire in 2100.
"""
import json
import pathlib

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

SECRET = "a secret of a test, longer than 32 bytes"
CLAIMS = {
    "sub": "ann",
    "iss": "https://id.example",
    "aud": ["hub", "other"],
    "iat": 1700000000,
    "nbf": 1700000000,
    "exp": 4102444800,
    "jti": "1",
    "sluice": {"publish": ["ops.*"], "join": ["ops.*", "all"], "users": ["*"], "all": True, "admin": False},
}


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def main():
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(RSAAlgorithm.to_jwk(rsa_key.public_key()))
    jwk.pop("key_ops", None)
    made = {
        "made_with": f"PyJWT {jwt.__version__}",
        "secret": SECRET,
        "rsa_pem": public_pem(rsa_key),
        "ec_pem": public_pem(ec_key),
        "jwks": {"keys": [{**jwk, "kid": "r", "use": "sig", "alg": "RS256"}]},
        "tokens": {
            "HS256": jwt.encode(CLAIMS, SECRET, "HS256", headers={"kid": "s"}),
            "RS256": jwt.encode(CLAIMS, rsa_key, "RS256", headers={"kid": "r"}),
            "ES256": jwt.encode(CLAIMS, ec_key, "ES256", headers={"kid": "e"}),
        },
        "refused": {
            "none": jwt.encode(CLAIMS, None, "none"),
            "HS512": jwt.encode(CLAIMS, SECRET, "HS512"),
            "PS256": jwt.encode(CLAIMS, rsa_key, "PS256"),
            "expired": jwt.encode({**CLAIMS, "exp": 1600000000}, SECRET, "HS256"),
            "other audience": jwt.encode({**CLAIMS, "aud": "other"}, SECRET, "HS256"),
            "other issuer": jwt.encode({**CLAIMS, "iss": "https://evil.example"}, SECRET, "HS256"),
            "other secret": jwt.encode(CLAIMS, SECRET + "!", "HS256"),
        },
    }
    path = pathlib.Path(__file__).with_name("pyjwt_tokens.json")
    path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
