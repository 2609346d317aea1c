"""GHSA-xgmm-8j9v-c9wx (PyJWT before 2.13.0).

Elsewhere the JSON text of a public JWK, given as a string, was taken for an HMAC secret. Here text is read
as JSON or PEM, or refused; a secret is an `oct` key and nothing else.
"""

from __future__ import annotations

import json

import pytest

from bearerguard import ConfigurationError
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting


def test_the_json_text_of_a_public_key_is_a_public_key() -> None:
    text = json.dumps(minting.key_for("ES256").public_jwk())
    server = minting.server(keys=text)
    assert verdict(server, minting.token("ES256")) == ACCEPTED
    assert verdict(server, minting.symmetric(text.encode(), "HS256", None)) == "algorithm"
    with pytest.raises(ConfigurationError):
        minting.server(keys=text, algorithms=["HS256"])


@pytest.mark.parametrize(
    "keys", ["a secret", b"a secret that is thirty-two bytes", '"text"', 5, {1}], ids=repr
)
def test_what_is_neither_json_nor_pem_is_not_a_key(keys: object) -> None:
    with pytest.raises(ConfigurationError):
        minting.server(keys=keys, algorithms=["HS256"])
