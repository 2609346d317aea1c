"""CVE-2020-15084 (express-jwt).

Elsewhere the list of accepted algorithms could be left out, and then the token chose. Here there is always
a list: left out, it has only the asymmetric algorithms, and an empty one is a configuration error.
"""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError, Provider
from tests.hostile import minting

ASYMMETRIC = {
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}  # fmt: skip


def test_the_list_that_is_left_out_has_no_symmetric_algorithm() -> None:
    provider = Provider("https://issuer.test", audience="https://api.test")
    assert provider.algorithms == ASYMMETRIC


@pytest.mark.parametrize(
    "algorithms", [[], (), set(), "", ["*"], ["RS256", ""], ["rs256"], "RS256,HS256"], ids=repr
)
def test_a_list_that_is_empty_or_has_unknown_names_is_a_configuration_error(algorithms: Any) -> None:
    with pytest.raises(ConfigurationError, match="choose from"):
        Provider("https://issuer.test", audience="https://api.test", algorithms=algorithms)


def test_a_secret_without_its_algorithm_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="none of its keys"):
        minting.server(keys={"kty": "oct", "k": "k" * 86})
