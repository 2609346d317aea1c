"""Asks four other libraries whether a token verifies under a key set; run in an environment of their own.

Reads `[[key set, token, algorithm], ...]` from standard input and writes, for each, which of them take it.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

import authlib.jose  # type: ignore[import-untyped] # noqa: E402
import jose.jwt  # type: ignore[import-untyped] # noqa: E402
import joserfc.jwk  # noqa: E402
import joserfc.jwt  # noqa: E402
import jwt  # noqa: E402

AUDIENCE = "https://api.test"


def pyjwt(keys: Any, token: str, alg: str) -> Any:
    return jwt.decode(token, jwt.PyJWKSet.from_dict(keys).keys[0], [alg], audience=AUDIENCE)["sub"]


def joserfc_(keys: Any, token: str, alg: str) -> Any:
    return joserfc.jwt.decode(token, joserfc.jwk.KeySet.import_key_set(keys), algorithms=[alg]).claims["sub"]


def authlib_(keys: Any, token: str, alg: str) -> Any:
    known = authlib.jose.JsonWebKey.import_key_set(keys)
    return authlib.jose.JsonWebToken([alg]).decode(token, known)["sub"]


def python_jose(keys: Any, token: str, alg: str) -> Any:
    return jose.jwt.decode(token, keys, algorithms=[alg], audience=AUDIENCE)["sub"]


PEERS: dict[str, Callable[[Any, str, str], Any]] = {
    "PyJWT": pyjwt,
    "joserfc": joserfc_,
    "Authlib": authlib_,
    "python-jose": python_jose,
}


def takes(peer: Callable[[Any, str, str], Any], keys: Any, token: str, alg: str) -> bool:
    try:
        return bool(peer(keys, token, alg) == "ada")
    except Exception:  # noqa: BLE001 - whatever it does is a refusal
        return False


asked = json.load(sys.stdin)
json.dump([{name: takes(peer, *one) for name, peer in PEERS.items()} for one in asked], sys.stdout)
