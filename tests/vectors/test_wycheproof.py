"""Wycheproof's files of JSON Web Signatures, keys and both together: every vector is run, none is left out.

Where this library's verdict is not the file's, the vector is named below with the reason: it is stricter, or
the file forbids what is a matter of policy. A signature that is not the key's never verifies.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

import pytest

from bearerguard import InvalidToken, Provider, ResourceServer
from tests.hostile.minting import b64
from tests.vectors.jws import payload_of, public_part
from tests.vectors.vector_files import read_vectors

_FILES = ("signature", "key", "crypto")


class Vector(NamedTuple):
    """One vector. `valid` is the verdict of the file."""

    keys: Any
    text: str
    valid: bool


def _vectors() -> dict[str, Vector]:
    vectors = {}
    for file in _FILES:
        for group in read_vectors(f"wycheproof/json_web_{file}_test.json")["testGroups"]:
            keys = group.get("public") or group["private"]
            for test in group["tests"]:
                text = test["jws"] if "jws" in test else test["jwe"]
                text = text if isinstance(text, str) else json.dumps(text)
                name = f"{file}-{test['tcId']}-{test['comment']}"
                vectors[name] = Vector(keys, text, test["result"] == "valid")
    return vectors


VECTORS = _vectors()

_KEY_ALG = "the key is published for another algorithm than the one it signed with (RFC 7517, section 4.4)"
_NOT_BASE64URL = "a question mark is not base64url; this file would have it skipped"
_SAME_TEXT = "the text is, to the letter, that of the vector that the file calls valid"
_MIXED = "a set may hold both kinds; a secret counts where HS256 is allowed by name, as these tests do"
_JWE = "encrypted tokens are not supported"

STRICTER = {
    "signature-346-Figure20": _KEY_ALG,
    "signature-347-Figure27": _KEY_ALG,
    "signature-350-Figure20": _KEY_ALG,
    "signature-351-Figure27": _KEY_ALG,
    "signature-372-InvalidCharacterInsertedInHeader": _NOT_BASE64URL,
    "signature-373-InvalidCharacterInsertedInPayload": _NOT_BASE64URL,
    "crypto-50-acceptsValid": _JWE,
    "crypto-67-acceptsValid": _JWE,
}
LAXER = {
    "signature-367-invalidBase64Padding": _SAME_TEXT,
    "signature-370-invalidBase64PaddingInPayload": _SAME_TEXT,
    "key-1-rejectsValid": _MIXED,
    "crypto-47-rejectsValid": _MIXED,
    "key-4-rejectsDuplicateKid": "the keys of one kid are all tried: it need not be unique (RFC 7517, 4.5)",
}


def test_every_vector_is_run() -> None:
    counted = Counter(name.partition("-")[0] for name in VECTORS)
    assert counted == {"signature": 401, "key": 26, "crypto": 83}
    assert STRICTER.keys() | LAXER.keys() <= VECTORS.keys()
    assert (len(STRICTER), len(LAXER)) == (8, 5)


def test_the_verdicts_that_differ_differ_as_they_say() -> None:
    assert all(VECTORS[name].valid for name in STRICTER)
    assert not any(VECTORS[name].valid for name in LAXER)


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_gets_its_verdict(name: str) -> None:
    keys, text, valid = VECTORS[name]
    if (valid and name not in STRICTER) or name in LAXER:
        payload_of(text, keys)
    else:
        with pytest.raises(InvalidToken):
            payload_of(text, keys)


@pytest.mark.parametrize("name", [name for name, why in LAXER.items() if why == _SAME_TEXT])
def test_a_vector_that_says_two_things_of_one_text_is_named_rightly(name: str) -> None:
    keys, text, _ = VECTORS[name]
    assert Vector(keys, text, valid=True) in VECTORS.values()


@pytest.mark.parametrize("name", [name for name, why in LAXER.items() if why == _MIXED])
def test_the_secret_of_a_mixed_set_does_not_count_where_hs256_is_not_allowed_by_name(name: str) -> None:
    keys, text, _ = VECTORS[name]
    claims = b64(b'{"iss":"https://issuer.test"}')
    head, _, tail = text.split(".")
    provider = Provider("https://issuer.test", audience="https://api.test", keys=public_part(keys))
    with pytest.raises(InvalidToken) as refusal:
        ResourceServer(provider).verify(f"{head}.{claims}.{tail}")
    assert refusal.value.reason == "algorithm"
