"""How a refusal is said: its challenges, one field for each scheme, and what goes with them."""

from __future__ import annotations

import pytest

from bearerguard import (
    AuthError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    ProviderUnavailable,
    Rule,
    UseDPoPNonce,
    any_scope,
    authenticated,
    role,
    scope,
)
from bearerguard.answer import BEARER, ChallengeContext, Scheme, answer, challenges
from tests.hostile.challenge_grammar import parse_challenge

DPOP = Scheme("DPoP", ("ES256", "EdDSA"))
ADDRESS = "https://api.example/.well-known/oauth-protected-resource"


def expired() -> InvalidToken:
    return InvalidToken("expired", "The token has expired.")


def refused(error: AuthError, rule: Rule) -> AuthError:
    error.rule = rule
    return error


def parameters_of(error: AuthError) -> dict[str, str]:
    [value] = [value for name, value in challenges(error) if name == "WWW-Authenticate"]
    return parse_challenge(value.encode())


# -- one scheme and several ------------------------------------------------------------------------------


def test_for_one_scheme_there_is_one_challenge() -> None:
    [field] = challenges(expired(), ChallengeContext("shop", ADDRESS))
    assert field == (
        "WWW-Authenticate",
        (
            'Bearer realm="shop", error="invalid_token", error_description="The token has expired.", '
            f'resource_metadata="{ADDRESS}"'
        ),
    )


def test_each_of_several_schemes_has_a_field_of_its_own_in_the_order_of_the_api() -> None:
    """Not every client takes a list of challenges apart (RFC 9110, section 11.6.1)."""
    fields = challenges(expired(), ChallengeContext("shop", schemes=(BEARER, DPOP)))
    assert [name for name, _ in fields] == ["WWW-Authenticate", "WWW-Authenticate"]
    assert [value.split(" ")[0] for _, value in fields] == ["Bearer", "DPoP"]


def presented(scheme: str | None, error: AuthError) -> AuthError:
    error.scheme = scheme
    return error


def test_where_the_scheme_of_a_request_is_not_known_each_says_the_same_and_only_its_own_algorithms() -> None:
    """RFC 9449, section 7.1."""
    (_, bearer), (_, dpop) = challenges(expired(), ChallengeContext("shop", schemes=(BEARER, DPOP)))
    assert "algs" not in bearer
    assert dpop == bearer.replace("Bearer", "DPoP", 1) + ', algs="ES256 EdDSA"'


def test_a_request_without_credentials_is_offered_the_schemes_and_told_of_no_error() -> None:
    """RFC 6750, section 3.1."""
    error = MissingCredentials("no_credentials", "The Authorization header is missing.")
    fields = challenges(error, ChallengeContext(schemes=(BEARER, DPOP)))
    assert [value for _, value in fields] == ["Bearer", 'DPoP algs="ES256 EdDSA"']


def test_a_request_that_used_dpop_gets_one_challenge_with_the_algorithms() -> None:
    """oauth4webapi up to 3.8.7 finds no nonce beside a second challenge."""
    [(_, value)] = challenges(presented("DPoP", expired()), ChallengeContext(schemes=(BEARER, DPOP)))
    assert parse_challenge(value.encode(), "DPoP") == {
        "error": "invalid_token",
        "error_description": "The token has expired.",
        "algs": "ES256 EdDSA",
    }


def test_what_is_wrong_with_a_bearer_token_is_said_only_of_bearer() -> None:
    """RFC 9449, section 7.2."""
    fields = challenges(presented("Bearer", expired()), ChallengeContext("shop", schemes=(BEARER, DPOP)))
    assert [value for _, value in fields] == [
        'Bearer realm="shop", error="invalid_token", error_description="The token has expired."',
        'DPoP realm="shop", algs="ES256 EdDSA"',
    ]


def test_where_only_dpop_will_do_it_is_the_only_challenge_whatever_was_used() -> None:
    for scheme in (None, "Bearer", "DPoP"):
        [(_, value)] = challenges(presented(scheme, expired()), ChallengeContext(schemes=(DPOP,)))
        assert value.startswith('DPoP error="invalid_token"')


def test_a_nonce_goes_in_a_field_of_its_own_and_is_stored_nowhere() -> None:
    """RFC 9449, sections 8.2 and 9."""
    error = UseDPoPNonce("nonce_missing", "The proof needs a nonce.", "n-1")
    fields = challenges(presented("DPoP", error), ChallengeContext(schemes=(BEARER, DPOP)))
    assert fields[1:] == [("DPoP-Nonce", "n-1"), ("Cache-Control", "no-store")]


def test_without_a_nonce_nothing_is_said_of_caches() -> None:
    assert [name for name, _ in challenges(expired())] == ["WWW-Authenticate"]


def test_trouble_at_the_provider_says_when_to_come_again_once_for_all_schemes() -> None:
    error = ProviderUnavailable("The keys cannot be had.", retry_after=12.2)
    fields = challenges(error, ChallengeContext("shop", schemes=(BEARER, DPOP)))
    assert [name for name, _ in fields] == ["WWW-Authenticate", "WWW-Authenticate", "Retry-After"]
    assert fields[2][1] == "13"


# -- the scopes of the route -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [MissingCredentials("no_credentials", "There is none."), expired()],
    ids=lambda error: type(error).__name__,
)
def test_a_client_that_has_to_get_a_token_is_told_for_which_scopes(error: AuthError) -> None:
    """RFC 6750, section 3: `scope` is what is needed to access the resource."""
    rule = scope("orders:write") & scope("orders:read") & role("admin")
    assert parameters_of(refused(error, rule))["scope"] == "orders:read orders:write"


@pytest.mark.parametrize(
    "rule", [any_scope("b", "a"), scope("d") | scope("c"), scope("c", "d") | scope("e")], ids=repr
)
def test_of_several_alternatives_a_client_is_told_the_one_that_the_document_names_first(rule: Rule) -> None:
    told = parameters_of(refused(expired(), rule))["scope"].split(" ")
    assert rule.security_requirement("oauth2")[0] == {"oauth2": told}


@pytest.mark.parametrize("rule", [authenticated, role("admin"), role("admin") | scope("a")], ids=repr)
def test_a_route_that_can_be_entered_without_a_scope_names_none(rule: Rule) -> None:
    assert "scope" not in parameters_of(refused(expired(), rule))


def test_without_a_route_no_scope_is_named() -> None:
    assert "scope" not in parameters_of(expired())


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("malformed_header", "There is no token."),
        ProviderUnavailable("The keys cannot be had.", retry_after=1.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_where_another_token_would_not_help_no_scope_is_named(error: AuthError) -> None:
    assert "scope" not in parameters_of(refused(error, scope("a")))


def test_a_missing_scope_is_named_once_by_the_refusal_and_not_by_the_route() -> None:
    error = InsufficientScope("scope", "The token lacks b.", ["b"])
    [(_, challenge)] = challenges(refused(error, scope("a") | scope("b")))
    assert challenge.count("scope=") == 1
    assert challenge.endswith('scope="b"')


def test_who_has_to_log_in_again_is_told_the_scopes_of_the_route_too() -> None:
    """RFC 9470, section 3: the new token has to be as good as the old one in all else."""
    error = InsufficientUserAuthentication("authentication", "Log in again.", max_age=300)
    told = parameters_of(refused(error, scope("a")))
    assert (told["max_age"], told["scope"]) == ("300", "a")


# -- the whole answer ------------------------------------------------------------------------------------


def test_an_answer_has_the_status_of_its_error_unless_a_contract_wants_another() -> None:
    assert answer(expired()).status == 401
    assert answer(expired(), status=400).status == 400


def test_the_fields_of_a_refusal_go_with_any_body() -> None:
    error = UseDPoPNonce("nonce", "The nonce is not good any more.", "n-1")
    whole = answer(error, context=ChallengeContext(schemes=(BEARER, DPOP)))
    assert [name for name, _ in whole.headers][:2] == ["Content-Type", "Content-Length"]
    names = [name for name, _ in whole.refusal_headers]
    assert names == ["WWW-Authenticate", "WWW-Authenticate", "DPoP-Nonce", "Cache-Control"]
