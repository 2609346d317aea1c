"""RFC 7520, section 4, and RFC 8037, appendix A: every example; those out of scope are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard._jose.jwk import thumbprint
from bearerguard.errors import InvalidToken
from tests.vectors.jws import payload_of
from tests.vectors.vector_files import read_vectors

_FILES = (
    "rfc7520/4_1.rsa_v15_signature.json",
    "rfc7520/4_2.rsa-pss_signature.json",
    "rfc7520/4_3.ecdsa_signature.json",
    "rfc7520/4_4.hmac-sha2_integrity_protection.json",
    "rfc7520/4_5.signature_with_detached_content.json",
    "rfc7520/4_6.protecting_specific_header_fields.json",
    "rfc7520/4_7.protecting_content_only.json",
    "rfc7520/4_8.multiple_signatures.json",
    "rfc8037/curve25519__jws.json",
)
VECTORS: dict[str, dict[str, Any]] = {name: read_vectors(name) for name in _FILES}

OUT_OF_SCOPE = {
    "rfc7520/4_5.signature_with_detached_content.json": "the payload of a token is in the token",
    "rfc7520/4_6.protecting_specific_header_fields.json": "no compact form: it has an unprotected header",
    "rfc7520/4_7.protecting_content_only.json": "no compact form: nothing of its header is protected",
    "rfc7520/4_8.multiple_signatures.json": "no compact form: it has three signatures",
}
IN_SCOPE = [name for name in _FILES if name not in OUT_OF_SCOPE]


def keys_of(vector: dict[str, Any]) -> Any:
    key = vector["input"]["key"]
    return {"keys": key} if isinstance(key, list) else key


def forms_of(vector: dict[str, Any]) -> list[str]:
    """Every form in which the file gives the signature, as text."""
    output = vector["output"]
    return [form if isinstance(form, str) else json.dumps(form) for form in output.values()]


def test_every_example_is_run() -> None:
    assert (len(IN_SCOPE), len(OUT_OF_SCOPE)) == (5, 4)


@pytest.mark.parametrize("name", IN_SCOPE)
def test_an_example_in_compact_form_verifies(name: str) -> None:
    vector = VECTORS[name]
    payload = payload_of(vector["output"]["compact"], keys_of(vector))
    assert payload.decode() == vector["input"]["payload"]


@pytest.mark.parametrize("name", IN_SCOPE)
def test_an_example_with_another_payload_does_not_verify(name: str) -> None:
    vector = VECTORS[name]
    head, _, tail = vector["output"]["compact"].split(".")
    with pytest.raises(InvalidToken) as refusal:
        payload_of(f"{head}.AAAA.{tail}", keys_of(vector))
    assert refusal.value.reason == "signature"


@pytest.mark.parametrize("name", OUT_OF_SCOPE)
def test_an_example_out_of_scope_is_refused_in_every_form(name: str) -> None:
    vector = VECTORS[name]
    for form in forms_of(vector):
        with pytest.raises(InvalidToken):
            payload_of(form, keys_of(vector))


@pytest.mark.parametrize("name", IN_SCOPE)
def test_an_example_in_a_json_form_is_refused(name: str) -> None:
    vector = VECTORS[name]
    forms = [form for form in forms_of(vector) if form.startswith("{")]
    assert len(forms) == 2
    for form in forms:
        with pytest.raises(InvalidToken, match="not a JWT"):
            payload_of(form, keys_of(vector))


def test_the_key_of_rfc8037_has_the_thumbprint_of_its_section_a3() -> None:
    key = VECTORS["rfc8037/curve25519__jws.json"]["input"]["key"]
    defining = {member: key[member] for member in ("crv", "kty", "x")}
    assert thumbprint(defining) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
