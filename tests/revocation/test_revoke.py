"""`ResourceServer.revoke`: what it takes, whom it believes, and what is refused afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import (
    AccessToken,
    ConfigurationError,
    InvalidToken,
    Provider,
    ProviderUnavailable,
    ResourceServer,
    Revocation,
    SecurityWarning,
)
from bearerguard._core.denylist import Entry
from bearerguard._io import revocations
from bearerguard._revokes import _claims_in
from bearerguard.observe import Observer
from bearerguard.provider import Header
from bearerguard.testing import Clock, Issuer

CLOCK = Clock(1_700_000_000.5)
ISSUER = Issuer("https://login.example", algorithm="ES256", clock=CLOCK)
OTHER = Issuer("https://partner.example", algorithm="ES256", clock=CLOCK)
NOBODY = Issuer("https://nobody.example", algorithm="ES256", clock=CLOCK)


def trusting(*issuers: Issuer, revocation: Revocation | None = None, **options: Any) -> ResourceServer:
    providers = [Provider(one.url, audience=one.audience, keys=one.jwks(), **options) for one in issuers]
    return ResourceServer(*providers, revocation=revocation or Revocation(), clock=CLOCK)


def reason(server: ResourceServer, token: str) -> str | None:
    try:
        server.verify(token)
    except InvalidToken as error:
        return error.reason
    return None


# -- what is revoked -------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("jti", ["one", None])
async def test_a_token_is_revoked_by_itself_or_by_its_text_and_others_are_not(jti: str | None) -> None:
    for as_text in (False, True):
        server, token, other = trusting(ISSUER), ISSUER.token("ada", jti=jti), ISSUER.token("bob")
        server.revoke(token if as_text else server.verify(token))
        assert reason(server, token) == "revoked"
        assert reason(server, other) is None
        server = trusting(ISSUER)
        await server.arevoke(token if as_text else await server.averify(token))
        assert reason(server, token) == "revoked"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("argument", "claims"),
    [
        ({"jti": "j"}, {"jti": "j"}),
        ({"subject": "ada"}, {"sub": "ada"}),
        ({"session": "s"}, {"sid": "s"}),
        ({"client": "web"}, {"client_id": "web"}),
        ({"everything": True}, {}),
    ],
)
async def test_what_is_named_is_refused_and_nothing_else(argument: Any, claims: Any) -> None:
    server, one, other = trusting(ISSUER), ISSUER.token(**claims), ISSUER.token("bob")
    assert reason(server, one) is None
    server.revoke(**argument)
    assert reason(server, one) == "revoked"
    assert (reason(server, other) is None) == ("everything" not in argument)
    server = trusting(ISSUER)
    await server.arevoke(**argument)
    with pytest.raises(InvalidToken, match="revoked"):
        await server.averify(one)


def test_who_logs_in_again_after_the_second_of_the_revocation_gets_in() -> None:
    clock = Clock(1_700_000_000.9)
    issuer = Issuer("https://login.example", algorithm="ES256", clock=clock)
    server = issuer.resource_server(revocation=Revocation())
    before = issuer.token("ada")
    server.revoke(subject="ada")
    assert reason(server, issuer.token("ada")) == "revoked", "issued in the same second"
    clock.advance(1)
    assert reason(server, issuer.token("ada")) is None
    assert reason(server, before) == "revoked"


def test_before_gives_another_time_which_may_not_lie_ahead() -> None:
    server = trusting(ISSUER)
    old, new = ISSUER.token("ada", iat=int(CLOCK()) - 100), ISSUER.token("ada", iat=int(CLOCK()) - 98)
    server.revoke(subject="ada", before=CLOCK() - 99)
    assert (reason(server, old), reason(server, new)) == ("revoked", None)
    with pytest.raises(ConfigurationError, match="before lies 5 s ahead"):
        server.revoke(subject="ada", before=CLOCK() + 5)


@pytest.mark.parametrize("bad", ["1", True, float("nan"), float("inf")])
def test_before_is_a_time(bad: Any) -> None:
    with pytest.raises(ConfigurationError, match="give seconds since 1970"):
        trusting(ISSUER).revoke(subject="ada", before=bad)


# -- a text ----------------------------------------------------------------------------------------


def test_a_text_is_verified_and_may_have_expired() -> None:
    server = trusting(ISSUER, leeway=0)
    early = trusting(ISSUER, leeway=200)  # a process that forgives more
    expired = ISSUER.token("ada", exp=int(CLOCK()) - 100, iat=int(CLOCK()) - 200)
    assert reason(server, expired) == "expired"
    assert reason(early, expired) is None
    early.revoke(expired)
    assert reason(early, expired) == "revoked"
    server.revoke(expired)  # of one that is refused here anyway nothing more is asked


def test_a_text_that_is_not_valid_yet_can_be_revoked_before_it_is() -> None:
    clock = Clock(1_700_000_000)
    issuer = Issuer("https://login.example", algorithm="ES256", clock=clock)
    server = issuer.resource_server(revocation=Revocation())
    token = issuer.token("ada", nbf=int(clock()) + 100)
    server.revoke(token)
    clock.advance(200)
    assert reason(server, token) == "revoked"


def test_a_token_that_is_bound_to_a_key_is_revoked_without_a_proof() -> None:
    server = trusting(ISSUER)
    server.revoke(ISSUER.token("ada", cnf={"jkt": "0" * 43}))


@pytest.mark.parametrize(
    "text", [NOBODY.token(), "opaque", "", ISSUER.token(aud="https://other.test"), "a.b.c"]
)
def test_a_text_of_nobody_here_is_a_mistake_of_the_program(text: str) -> None:
    with pytest.raises(ConfigurationError, match="refused here anyway"):
        trusting(ISSUER).revoke(text)


def test_the_claims_of_a_text_that_is_written_with_padding_are_not_guessed() -> None:
    """As a load balancer writes them: its tokens live for minutes, and are revoked before they expire."""
    assert _claims_in("e30.eyJhIjoxfQ.AAAA") == {"a": 1}
    assert _claims_in("e30.eyJhIjoxfQ==.AAAA") is None


def test_a_text_of_a_place_of_its_own_is_found() -> None:
    providers = [
        Provider(ISSUER.url, audience=ISSUER.audience, keys=ISSUER.jwks()),
        Provider(OTHER.url, audience=OTHER.audience, keys=OTHER.jwks(), source=Header("X-Token")),
    ]
    server = ResourceServer(*providers, revocation=Revocation(), clock=CLOCK)
    server.revoke(OTHER.token("ada"))
    with pytest.raises(ConfigurationError):
        server.revoke(NOBODY.token("ada"))


def test_a_text_is_not_revoked_while_its_provider_is_away() -> None:
    issuer = Issuer("https://login.example", algorithm="ES256", clock=CLOCK)
    server = issuer.resource_server(revocation=Revocation(), keys=lambda: (_ for _ in ()).throw(OSError()))
    with pytest.raises(ProviderUnavailable):
        server.revoke(issuer.token())


def test_a_token_of_another_server_is_a_mistake_of_the_program() -> None:
    token = trusting(ISSUER).verify(ISSUER.token())
    with pytest.raises(ConfigurationError, match="another server verified"):
        trusting(ISSUER, name="other").revoke(token)


# -- opaque tokens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("claims", [{}, {"iat": None, "expires_in": 1000}])
def test_an_opaque_token_is_revoked_by_its_text(claims: Any) -> None:
    issuer = Issuer("https://login.example", algorithm="ES256", clock=CLOCK)
    server = ResourceServer(
        issuer.provider(introspection=issuer.introspection()), revocation=Revocation(), clock=CLOCK
    )
    text, other = issuer.opaque_token("ada", **claims), issuer.opaque_token("ada", **claims)
    assert reason(server, text) is None
    server.revoke(text)
    assert reason(server, text) == "revoked"
    assert reason(server, other) is None


@pytest.mark.parametrize("ends", [{"exp": None}, {"expires_in": 49 * 3600}])
def test_an_opaque_token_of_unknown_age_that_may_outlive_the_horizon_is_for_its_provider_to_revoke(
    ends: Any,
) -> None:
    issuer = Issuer("https://login.example", algorithm="ES256", clock=CLOCK)
    server = ResourceServer(
        issuer.provider(introspection=issuer.introspection()), revocation=Revocation(), clock=CLOCK
    )
    with pytest.raises(ConfigurationError, match="revoke it at its provider"):
        server.revoke(issuer.opaque_token("ada", iat=None, **ends))


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "nothing was given"),
        ({"token": None}, "nothing was given"),
        ({"subject": "a", "jti": "b"}, "jti and subject was given"),
        ({"token": "a.b.c", "everything": True}, "token and everything was given"),
    ],
)
def test_exactly_one_is_given(arguments: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        trusting(ISSUER).revoke(**arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"everything": 1}, "give True, or leave it out"),
        ({"subject": 7}, "give the text of the claim"),
        ({"subject": ""}, "give the text of the claim"),
        ({"session": "\ud800"}, "half a character"),
        ({"token": 7}, "give an AccessToken, or the text of a token"),
        ({"token": "a.b.c", "issuer": "https://login.example"}, "leave issuer= and before= out"),
        ({"token": "a.b.c", "before": 1.0}, "leave issuer= and before= out"),
        ({"jti": "x", "before": 1.0}, "leave before= out"),
        ({"subject": "a", "issuer": 7}, "give its URL as text"),
        ({"subject": "a", "issuer": "https://nobody.example"}, "no provider of this server has it"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_with_what_to_write(arguments: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        trusting(ISSUER).revoke(**arguments)


def test_of_several_issuers_one_is_named_and_the_others_are_left_alone() -> None:
    server = trusting(ISSUER, OTHER)
    with pytest.raises(ConfigurationError, match="say whose it is with issuer="):
        server.revoke(subject="ada")
    server.revoke(subject="ada", issuer=OTHER.url)
    assert reason(server, OTHER.token("ada")) == "revoked"
    assert reason(server, ISSUER.token("ada")) is None


def test_providers_of_one_issuer_need_no_issuer() -> None:
    keys = ISSUER.jwks()
    server = ResourceServer(
        Provider(ISSUER.url, name="web", audience=ISSUER.audience, keys=keys),
        Provider(ISSUER.url, name="app", audience="app", keys=keys),
        revocation=Revocation(),
        clock=CLOCK,
    )
    server.revoke(subject="ada")
    assert reason(server, ISSUER.token("ada")) == "revoked"
    assert reason(server, ISSUER.token("ada", aud="app")) == "revoked"


def test_an_alias_of_an_issuer_names_the_issuer() -> None:
    server = trusting(ISSUER, issuer_aliases="https://alias.example")
    server.revoke(subject="ada", issuer="https://alias.example")
    assert reason(server, ISSUER.token("ada")) == "revoked"
    assert reason(server, ISSUER.token("ada", iss="https://alias.example")) == "revoked"


def test_tenants_are_issuers_of_their_own() -> None:
    tenants = Provider(
        "https://login.example/{tid}", name="t", audience=ISSUER.audience, tenants=["a1", "b2"],
        keys=ISSUER.jwks(),
    )  # fmt: skip
    server = ResourceServer(tenants, revocation=Revocation(), clock=CLOCK)
    token = ISSUER.token("ada", iss="https://login.example/a1", tid="a1")
    other = ISSUER.token("ada", iss="https://login.example/b2", tid="b2")
    with pytest.raises(ConfigurationError, match="say whose"):
        server.revoke(subject="ada")
    with pytest.raises(ConfigurationError, match="no provider of this server"):
        server.revoke(subject="ada", issuer="https://elsewhere.example/a1")
    server.revoke(subject="ada", issuer="https://login.example/a1")
    assert (reason(server, token), reason(server, other)) == ("revoked", None)


def test_a_provider_without_an_issuer_is_one_issuer() -> None:
    with pytest.warns(SecurityWarning):
        anybody = Provider(
            None, name="any", audience=ISSUER.audience, keys=ISSUER.jwks(), dangerously_accept_any_issuer=True
        )
    server = ResourceServer(anybody, revocation=Revocation(), clock=CLOCK)
    server.revoke(subject="ada", issuer="https://login.example")
    server.revoke(subject="bob")
    assert reason(server, ISSUER.token("ada")) == reason(server, ISSUER.token("bob")) == "revoked"


def test_a_server_that_asks_a_function_about_issuers_revokes_by_issuer() -> None:
    server = ResourceServer.trusting(
        lambda issuer: Provider(issuer, audience=ISSUER.audience, keys=ISSUER.jwks()),
        audience=ISSUER.audience,
        revocation=Revocation(),
        clock=CLOCK,
    )
    token = ISSUER.token("ada")
    assert isinstance(server.verify(token), AccessToken)
    with pytest.raises(ConfigurationError, match="say whose"):
        server.revoke(subject="ada")
    with pytest.raises(ConfigurationError, match="as it stands in iss"):
        server.revoke(subject="ada", issuer="login.example")
    server.revoke(subject="ada", issuer=ISSUER.url)
    assert reason(server, token) == "revoked"
    server.revoke(ISSUER.token("bob", jti="b"))
    assert reason(server, ISSUER.token("bob", jti="b")) == "revoked"


def test_a_server_that_is_observed_takes_tokens_back_too() -> None:
    provider = Provider(ISSUER.url, audience=ISSUER.audience, keys=ISSUER.jwks())
    server = ResourceServer(provider, revocation=Revocation(), observer=Observer(), clock=CLOCK)
    token = ISSUER.token("ada")
    server.revoke(token)
    assert reason(server, token) == "revoked"
    server.log_out(ISSUER.logout_token("bob", client_id="web"), client_id="web").wait()
    assert reason(server, ISSUER.token("bob")) == "revoked"


# -- servers -----------------------------------------------------------------------------------------


def test_a_server_without_revocation_says_how_to_have_it() -> None:
    server = ResourceServer(Provider(ISSUER.url, audience="a", keys=ISSUER.jwks()), clock=CLOCK)
    with pytest.raises(ConfigurationError, match=r"revocation=Revocation\(\)"):
        server.revoke(subject="ada")


def test_a_server_is_given_a_revocation_and_nothing_else() -> None:
    with pytest.raises(ConfigurationError, match="revocation is a bool: give"):
        trusting(ISSUER, revocation=True)  # type: ignore[arg-type]  # what a program may write


def test_a_closed_server_revokes_nothing() -> None:
    server = trusting(ISSUER)
    server.close()
    with pytest.raises(ConfigurationError, match="closed"):
        server.revoke(subject="ada")


def test_v6_without_a_store_a_revocation_is_known_to_this_server_alone() -> None:
    one, other = trusting(ISSUER), trusting(ISSUER)
    one.revoke(subject="ada")
    assert reason(other, ISSUER.token("ada")) is None


def test_what_does_not_fit_is_refused_and_said_not_to_be_in_force() -> None:
    kept = revocations.Revocations(Revocation(), CLOCK, limit=1)
    kept.write(Entry(b"one", int(CLOCK())))
    with pytest.raises(ProviderUnavailable, match="not in force") as refused:
        kept.write(Entry(b"two", int(CLOCK())))
    assert (refused.value.status, refused.value.reason) == (503, "revocation_store")
    assert refused.value.retry_after
    assert kept.health() == {"entries": 1, "full": True}
    assert kept.hear() == revocations.WHILE_FULL


def test_a_list_that_was_full_opens_when_its_entries_are_over() -> None:
    clock = Clock(1_700_000_000)
    kept = revocations.Revocations(Revocation(horizon=60), clock, limit=1)
    kept.write(Entry(b"one", int(clock())))
    assert not kept.revoked.has_heard(clock())
    clock.advance(3600)
    assert kept.hear() is None
    assert kept.revoked.has_heard(clock())


# -- the value -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"horizon": 59},
        {"horizon": True},
        {"horizon": "1"},
        {"horizon": float("inf")},
        {"max_lag": 0.9},
        {"max_lag": float("nan")},
        {"strict": 1},
        {"dangerously_accept_unheard_revocations": "no"},
    ],
)
def test_a_revocation_out_of_bounds_is_refused(options: Any) -> None:
    with pytest.raises(ConfigurationError, match="Revocation:"):
        Revocation(**options)


def test_a_revocation_shows_what_was_changed() -> None:
    assert repr(Revocation()) == "Revocation()"
    assert repr(Revocation(max_lag=1, strict=True)) == "Revocation(max_lag=1, strict=True)"


def test_accepting_what_was_not_heard_warns() -> None:
    with pytest.warns(SecurityWarning, match="dangerously_accept_unheard_revocations") as told:
        Revocation(dangerously_accept_unheard_revocations=True)
    assert told[0].filename == __file__
