"""Authlib 1.6.0 to 1.6.5; CVE-2021-21378 (Envoy).

Elsewhere a token without a signature passed, since `alg: none` was an algorithm among others, or since a
missing token was a case of its own that let the request through. Here there is no `none` to be allowed, in
whatever spelling, and no token is a refusal like any other.
"""

from __future__ import annotations

import pytest

from bearerguard import ConfigurationError, MissingCredentials, Provider
from tests.advisories.verdict import verdict
from tests.hostile import minting


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "\tnone", "none\0", ""], ids=repr)
def test_a_token_that_says_it_is_not_signed_is_refused_signed_or_not(alg: str) -> None:
    signed = minting.token(header={"alg": alg})
    unsigned = signed[: signed.rindex(".") + 1]
    assert verdict(minting.server(), signed) == "algorithm"
    assert verdict(minting.server(), unsigned) == "algorithm"


def test_a_token_without_signature_is_refused_under_every_algorithm() -> None:
    for alg in Provider("https://issuer.test", audience="https://api.test").algorithms:
        token = minting.token(alg)
        assert verdict(minting.server(), token[: token.rindex(".") + 1]) == "signature"


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_none_cannot_be_allowed(name: str) -> None:
    with pytest.raises(ConfigurationError, match="choose from"):
        Provider("https://issuer.test", audience="https://api.test", algorithms=["RS256", name])


def test_a_missing_token_is_not_a_way_around_the_check() -> None:
    for headers in ([], [(b"authorization", b"")], [(b"authorization", b"Basic dTpw")]):
        with pytest.raises(MissingCredentials):
            minting.server().authenticate(headers)
