"""Several providers at one resource server: what is trusted of one is trusted of no other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from bearerguard import RFC9068, AuthError, InvalidToken, Provider, ProviderUnavailable, ResourceServer
from bearerguard.answer import challenges
from bearerguard.testing import Clock, Issuer, SigningKey, signing_key
from tests.challenge import challenge_of
from tests.hostile import minting
from tests.hostile.oracle import everything_logged, shows

NOW = minting.NOW
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
SECRET = signing_key("oct")


def issuer(name: str) -> Issuer:
    return Issuer(f"https://{name}.test", audience=f"https://api.test/{name}", clock=Clock(NOW))


A, B = issuer("a"), issuer("b")


def given(owner: Issuer, **overrides: Any) -> Provider:
    """A provider whose keys are given as an object."""
    return owner.provider(**{"keys": owner.jwks(), **overrides})


def refusal(server: ResourceServer, token: str) -> AuthError:
    with pytest.raises(AuthError) as refused:
        server.verify(token)
    return refused.value


def orders(*providers: Provider) -> Iterator[ResourceServer]:
    """A server for each order in which the providers can be listed."""
    for listed in itertools.permutations(providers):
        yield ResourceServer(*listed, clock=A.clock)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_each_issuers_tokens_are_accepted_as_its_own(alg: str) -> None:
    for server in orders(given(A), given(B)):
        assert server.verify(A.token(alg=alg)).provider.name == A.url
        assert server.verify(B.token(alg=alg)).provider.name == B.url


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_token_of_one_issuer_signed_by_the_key_of_another_is_refused(alg: str) -> None:
    stolen = A.token(alg=alg, key=minting.key_for(alg, B))
    for server in orders(given(A), given(B)):
        assert refusal(server, stolen).reason == "unknown_key"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_kid_that_two_issuers_share_stands_for_two_keys(alg: str) -> None:
    mine, theirs = (SigningKey("shared", minting.key_for(alg, owner).private) for owner in (A, B))
    providers = (given(A, keys=mine.public_jwk()), given(B, keys=theirs.public_jwk()))
    for server in orders(*providers):
        server.verify(A.token(alg=alg, key=mine))
        server.verify(B.token(alg=alg, key=theirs))
        assert refusal(server, A.token(alg=alg, key=theirs)).reason == "signature"
        assert refusal(server, B.token(alg=alg, key=mine)).reason == "signature"


@pytest.mark.parametrize("kid", [None, pytest.param(SECRET.kid, id="its own"), "unknown"])
def test_a_secret_of_one_provider_signs_for_no_other(kid: str | None) -> None:
    symmetric = Provider(B.url, audience=B.audience, keys=SECRET.secret_jwk(), algorithms=["HS256"])
    for server in orders(given(A), symmetric):
        server.verify(B.token(alg="HS256", key=SECRET))
        forged = A.token(alg="HS256", key=SECRET, header={"kid": kid})
        assert refusal(server, forged).reason == "algorithm"


def test_a_provider_with_a_secret_takes_no_public_key_for_it() -> None:
    symmetric = Provider(B.url, audience=B.audience, keys=SECRET.secret_jwk(), algorithms=["HS256"])
    for server in orders(given(A), symmetric):
        assert refusal(server, B.token(alg="RS256", key=minting.key_for("RS256", A))).reason == "algorithm"


def test_an_audience_of_one_provider_is_not_one_of_another() -> None:
    for server in orders(given(A), given(B)):
        assert refusal(server, A.token(aud=B.audience)).reason == "audience"
        assert refusal(server, B.token(aud=[A.audience])).reason == "audience"


def test_what_one_provider_allows_no_other_does() -> None:
    lax = given(A, leeway=300, algorithms=["RS256", "ES256"])
    strict = given(B, leeway=0, algorithms=["ES256"], profile=RFC9068)
    for server in orders(lax, strict):
        server.verify(A.token(exp=NOW - 100, alg="RS256", client_id=None, header={"typ": None}))
        assert refusal(server, B.token(exp=NOW - 1, alg="ES256")).reason == "expired"
        assert refusal(server, B.token(alg="RS256")).reason == "algorithm"
        assert refusal(server, B.token(alg="ES256", header={"typ": None})).reason == "type"


@pytest.mark.parametrize("is_first", [True, False])
def test_keys_that_cannot_be_had_open_nothing_and_close_nothing_else(is_first: bool) -> None:
    down = issuer("down")
    providers = [down.provider(), given(B)]
    server = ResourceServer(*(providers if is_first else reversed(providers)), clock=down.clock)
    with down.outage():
        assert isinstance(refusal(server, down.token()), ProviderUnavailable)
        forged = down.token(key=minting.key_for("RS256", B))
        assert isinstance(refusal(server, forged), ProviderUnavailable)
        assert server.verify(B.token()).provider.name == B.url
    down.clock.advance(60)
    assert server.verify(down.token()).provider.name == down.url


@pytest.mark.parametrize(
    "broken",
    [
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "AAAA"}]},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        [],
        {},
        None,
        "text",
    ],
    ids=json.dumps,
)
def test_broken_keys_of_one_provider_open_nothing_and_close_nothing_else(broken: Any) -> None:
    for server in orders(Provider(A.url, audience=A.audience, keys=lambda: broken), given(B)):
        assert isinstance(refusal(server, A.token()), ProviderUnavailable)
        forged = A.token(key=minting.key_for("RS256", B))
        assert isinstance(refusal(server, forged), ProviderUnavailable)
        server.verify(B.token())


def test_of_two_providers_of_one_issuer_either_may_accept() -> None:
    """As for an issuer whose tokens for two audiences have different keys."""
    old, new = issuer("old"), issuer("new")
    providers = [
        given(old, issuer=A.url, name="old", audience="https://old.test"),
        given(new, issuer=A.url, name="new", audience="https://new.test"),
    ]
    for server in orders(*providers):
        token = old.token(iss=A.url, aud="https://old.test")
        assert server.verify(token).provider.name == "old"
        assert server.verify(new.token(iss=A.url, aud="https://new.test")).provider.name == "new"
        mixed = old.token(iss=A.url, aud="https://new.test")
        assert refusal(server, mixed).reason == "audience"


def test_of_two_providers_of_one_issuer_one_that_is_down_does_not_stop_the_other() -> None:
    down = Issuer(A.url, audience="https://down.test", clock=Clock(NOW))
    up = given(B, issuer=A.url, name="up")
    with down.outage():
        for server in orders(down.provider(name="down"), up):
            assert server.verify(B.token(iss=A.url)).provider.name == "up"
            # A token that neither knows may be the other's: that is not a reason to call it bad.
            assert isinstance(refusal(server, down.token()), ProviderUnavailable)


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_a_provider_that_takes_any_issuer_does_not_speak_for_one_that_is_named() -> None:
    anybody = given(B, issuer=None, name="anybody", dangerously_accept_any_issuer=True, audience=A.audience)
    for server in orders(given(A), anybody):
        assert refusal(server, A.token(key=minting.key_for("RS256", B))).reason == "unknown_key"
        other = B.token(iss="https://c.test", aud=A.audience)
        assert server.verify(other).provider.name == "anybody"


def test_one_servers_verdict_is_not_another_servers() -> None:
    """Two resource servers in one process, whose providers differ only in their audience."""
    first = ResourceServer(given(A), clock=A.clock)
    second = ResourceServer(given(A, audience="https://second.test"), clock=A.clock)
    token = A.token()
    first.verify(token)
    assert refusal(second, token).reason == "audience"
    first.verify(token)


SECRETS = ("https://a.test", "https://b.test", "api.test", "anybody", "10.0.0.7")


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("unknown issuer", A.token(iss="https://c.test")),
        ("another's key", A.token(key=minting.key_for("RS256", B))),
        ("audience", A.token(aud="https://c.test")),
        ("expired", A.expired()),
        ("keys not to be had", B.token()),
        ("unknown kid", A.token(header={"kid": "k-10.0.0.7"})),
        ("fixed claim", A.token(tenant="https://b.test")),
        ("not a token", "https://a.test"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_a_client_learns_nothing_about_providers_audiences_and_keys(
    name: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Which names are configured is the operators' business, and is in their log."""
    down = Provider(B.url, audience=B.audience, keys=_fail, name="https://b.test/internal")
    server = ResourceServer(given(A, required_claims={"tenant": "anybody"}), down, clock=A.clock)
    with everything_logged(caplog) as records:
        error = refusal(server, token)
    told = f"{challenge_of(error)} {challenges(error)} {error.description} {error}"
    assert [secret for secret in SECRETS if secret in told] == []
    assert not shows(told, token)
    assert not any(shows(record.getMessage(), token) for record in records if token.count(".") == 2)


def _fail() -> None:
    raise OSError("10.0.0.7 refused the connection")


@pytest.mark.parametrize(
    ("token", "reason", "provider"),
    [
        (A.token(aud="x"), "audience", A.url),
        (B.expired(), "expired", B.url),
        (A.token(key=minting.key_for("RS256", B)), "unknown_key", A.url),
        (A.token(iss="https://c.test"), "issuer", None),
        ("x.y.z", "malformed", None),
    ],
    ids=["audience", "expired", "unknown key", "issuer", "malformed"],
)
def test_operators_learn_which_provider_refused_and_why(
    token: str, reason: str, provider: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    server = ResourceServer(given(A), given(B), clock=A.clock)
    with everything_logged(caplog) as records, pytest.raises(InvalidToken):
        server.verify(token)
    told = vars(records[-1])
    assert (told["reason"], told["provider"]) == (reason, provider)
    named = "" if provider is None else f" provider={provider}"
    assert f"reason={reason}{named}" in records[-1].getMessage()
