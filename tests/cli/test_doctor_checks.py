"""What `doctor` says of answers and settings: for each, how bad it is and the words that matter."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bearerguard import (
    ClientCertificate,
    DPoP,
    Introspection,
    Provider,
    RemoteKeys,
    ResourceServer,
    Revocation,
    SecurityWarning,
)
from bearerguard.cli._doctor import settings
from bearerguard.cli._doctor.findings import Finding, Section, status_of, to_dict
from bearerguard.cli._doctor.keys import about_cache, about_given_keys, about_keys
from bearerguard.cli._doctor.metadata import about_connection, about_metadata, about_support
from bearerguard.cli._doctor.probe import Answer
from bearerguard.cli._doctor.settings import about_server, about_settings
from bearerguard.cli._doctor.store import StoreFacts, about_revocations, about_store
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Issuer
from tests.certificates import BEGIN, END, certificate_der

CONFIGURATION = Path(__file__).parents[2] / "docs" / "configuration.md"
ISSUER = "https://login.example"
PLACE = f"{ISSUER}/.well-known/openid-configuration"
NOW = 1_790_000_000.0
KEYS = Issuer(ISSUER).jwks()["keys"]
RSA = next(key for key in KEYS if key["kty"] == "RSA")


def provider(issuer: str = ISSUER, **options: Any) -> Provider:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return Provider(issuer, **{"audience": "https://api.example", **options})


def answer(body: Any, url: str = PLACE, **fields: Any) -> Answer:
    return Answer(url, **{"status": 200, "body": json.dumps(body).encode(), **fields})


def said(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.level, one.about, one.found) for one in findings]


# -- metadata ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "level", "words"),
    [
        (answer({"issuer": ISSUER}), "ok", "as configured"),
        (answer({"issuer": f"{ISSUER}/"}), "error", "differ only in a slash at the end"),
        (answer({"issuer": "https://other.example"}), "error", "of 'https://other.example', and"),
        (answer({}), "error", "the metadata is of None"),
        (answer({"issuer": "x\x1b[2J"}), "error", "'x\\x1b[2J'"),
    ],
)
def test_the_metadata_has_to_name_the_issuer(given: Answer, level: str, words: str) -> None:
    [place, issuer] = about_metadata(provider(), [given], is_needed=True)
    assert place.level == "ok"
    assert (issuer.level, issuer.about) == (level, "issuer")
    assert words in issuer.found
    assert (issuer.advice is None) == (level == "ok")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Answer(PLACE, 404), "HTTP 404"),
        (Answer(PLACE, 302), "a redirect (HTTP 302), which is not followed"),
        (Answer(PLACE, 200, body=b"<html>"), "not a JSON object"),
        (Answer(PLACE, 200, body=b"[]"), "not a JSON object"),
    ],
)
def test_metadata_that_is_nowhere_is_an_error_only_where_keys_are_found_by_it(
    given: Answer, words: str
) -> None:
    [place, missing] = about_metadata(provider(), [given], is_needed=True)
    assert (place.level, place.found) == ("note", f"{PLACE}: {words}")
    assert (missing.level, missing.about) == ("error", "metadata")
    assert said(about_metadata(provider(), [given], is_needed=False)) == said([place])


def test_each_place_is_told_and_the_issuer_once() -> None:
    findings = about_metadata(
        provider(), [Answer(PLACE, 404), *[answer({"issuer": ISSUER})] * 2], is_needed=True
    )
    assert [one.level for one in findings] == ["note", "ok", "ok", "ok"]
    assert findings[2].found.endswith(": there, too")


def test_the_metadata_of_many_tenants_names_their_template() -> None:
    template = "https://login.example/{tid}/v2.0"
    many = provider(template, keys=f"{ISSUER}/jwks", tenants=["a"])
    [_, issuer] = about_metadata(many, [answer({"issuer": template})], is_needed=False)
    assert issuer.level == "ok"


# -- connection --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "about", "level", "words"),
    [
        ({"certificate_ends": NOW + 86_400 * 90}, "TLS", "ok", "in 90 days"),
        ({"certificate_ends": NOW + 86_400 * 5}, "TLS", "warning", "in 5 days"),
        ({}, "TLS", "note", "not shown"),
        ({"url": "http://127.0.0.1:80/x"}, "TLS", "ok", "without TLS"),
        ({"url": "http://login.example/x"}, "TLS", "warning", "plain http"),
        ({"clock": 0.4}, "clock", "ok", "agree"),
        ({"clock": 5.0}, "clock", "note", "5 s ahead of this machine's; up to 10 s are forgiven"),
        ({"clock": -90.0}, "clock", "warning", "90 s behind this machine's, and 10 s are forgiven"),
        ({"clock": None}, "clock", "note", "does not say"),
        ({"seconds": 0.05}, "latency", "ok", "in 50 ms"),
        ({"seconds": 1.5}, "latency", "warning", "in 1500 ms"),
        ({"seconds": 4.5}, "latency", "error", "in 4500 ms"),
    ],
)
def test_tls_clock_and_speed_of_a_host(changes: dict[str, Any], about: str, level: str, words: str) -> None:
    given = answer({}, **{"url": PLACE, "clock": 0.0, **changes})
    findings = about_connection(provider(), [given, given], NOW)
    assert len(findings) == 3  # once for a host
    [one] = [finding for finding in findings if finding.about == about]
    assert one.level == level
    assert words in one.found
    assert (one.advice is None) == (level in ("ok", "note"))


def test_a_host_that_does_not_answer_is_one_error() -> None:
    given = Answer(PLACE, failure="certificate has expired")
    [one] = about_connection(provider(), [given, given], NOW)
    assert (one.level, one.about) == ("error", "connection")
    assert "certificate has expired" in one.found


# -- what it offers ----------------------------------------------------------------------------------

ASKED = Introspection("orders", "a secret of the api's own")


@pytest.mark.parametrize(
    ("options", "metadata", "level", "words"),
    [
        ({}, {}, "note", "not offered"),
        ({}, {"introspection_endpoint": "https://login.example/ask"}, "note", "offered at"),
        (
            {"introspection": ASKED},
            {"introspection_endpoint": "https://login.example/ask"},
            "ok",
            "offered at",
        ),
        ({"introspection": ASKED}, {}, "error", "names no introspection_endpoint"),
        (
            {"introspection": ASKED},
            {
                "introspection_endpoint": "https://login.example/ask",
                "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
            },
            "warning",
            "client_secret_basic is not among private_key_jwt",
        ),
    ],
)
def test_introspection_is_compared_with_what_is_configured(
    options: dict[str, Any], metadata: dict[str, Any], level: str, words: str
) -> None:
    one = about_support(provider(**options), metadata, takes_dpop=False)[0]
    assert (one.level, one.about) == (level, "introspection")
    assert words in one.found


@pytest.mark.parametrize(
    ("metadata", "takes", "level"),
    [
        ({}, False, "note"),
        ({}, True, "warning"),
        ({"dpop_signing_alg_values_supported": ["ES256"]}, True, "ok"),
        ({"dpop_signing_alg_values_supported": ["ES256"]}, False, "note"),
    ],
)
def test_dpop_is_compared_with_what_is_configured(metadata: dict[str, Any], takes: bool, level: str) -> None:
    one = about_support(provider(), metadata, takes_dpop=takes)[-1]
    assert (one.level, one.about) == (level, "DPoP")


# -- keys --------------------------------------------------------------------------------------------


def with_certificate(**changes: Any) -> dict[str, Any]:
    return {**RSA, "x5c": [base64.b64encode(certificate_der()).decode()], **changes}


@pytest.mark.parametrize(
    ("key", "options", "level", "words"),
    [
        (RSA, {}, "ok", "RSA of 2,048 bits, kid "),
        (RSA, {"algorithms": "RS256"}, "ok", ": usable for RS256"),
        ({**RSA, "kid": None}, {}, "ok", "no kid"),
        ({**RSA, "use": "enc"}, {}, "note", "use 'enc': not usable: "),
        ({**RSA, "alg": "RSA-OAEP"}, {}, "warning", "not usable: "),
        ({**RSA, "n": "AQAB"}, {}, "warning", "RSA of 17 bits"),
        ({**RSA, "d": "AQAB"}, {}, "warning", "it is a private key"),
        ({"kty": "oct", "k": "c2VjcmV0LW9mLXRoZS1wcm92aWRlcg"}, {}, "warning", "it is symmetric"),
        ({"kty": "EC", "crv": "P-\x1b[1m", "x": "", "y": ""}, {}, "warning", "EC P-\\x1b[1m"),
        ("a key", {}, "warning", "not a JSON object"),
        (RSA, {"keys": RemoteKeys(pinned_thumbprints=["x" * 43])}, "note", "not among pinned_thumbprints"),
        (with_certificate(), {}, "ok", "its certificate is good from 2026-01-01 00:00:00 UTC to 2035-12-30"),
        ({**RSA, "x5c": ["nonsense"]}, {}, "ok", "usable, for 6 algorithms"),
    ],
)  # fmt: skip
def test_each_key_is_named_and_is_usable_or_not_and_why(
    key: Any, options: dict[str, Any], level: str, words: str
) -> None:
    other = next(one for one in KEYS if one["kty"] == "EC" and one["crv"] == "P-256")
    findings = about_keys(provider(**options), answer({"keys": [key, other]}), NOW)
    assert findings[1].about == "key"
    assert findings[1].level == level
    assert words in findings[1].found
    assert "c2VjcmV0" not in findings[1].found


@pytest.mark.parametrize("now", [BEGIN.timestamp() - 1, END.timestamp() + 1])
def test_a_certificate_beside_a_key_that_is_out_of_date_is_a_warning(now: float) -> None:
    findings = about_keys(provider(), answer({"keys": [with_certificate()]}), now)
    assert findings[1].level == "warning"


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (Answer(PLACE, 500), {}, "HTTP 500"),
        (Answer(PLACE, failure="timed out"), {}, "timed out"),
        (Answer(PLACE, 200, body=b"<html>"), {}, "it is HTML"),
        (answer({"keys": []}), {}, "it holds no key"),
        (answer({"keys": [RSA] * 101}), {}, "at most 100 are read"),
        (answer(RSA), {}, "it is not a JWK set"),
        (answer({"keys": [RSA]}), {"algorithms": "ES256"}, "no key fits the algorithms ES256"),
    ],
)
def test_a_key_set_that_lets_no_token_in_is_an_error(
    given: Answer, options: dict[str, Any], words: str
) -> None:
    findings = about_keys(provider(**options), given, NOW)
    assert any(one.level == "error" and words in one.found for one in findings)


def test_a_kid_that_is_published_twice_is_a_note() -> None:
    assert said(about_keys(provider(), answer({"keys": [RSA, RSA]}), NOW))[-1] == (
        "note",
        "key set",
        f"published under one kid more than once: '{RSA['kid']}'",
    )


def test_keys_that_were_given_do_not_rotate() -> None:
    findings = about_given_keys(provider(keys=KEYS), NOW)
    assert [one.level for one in findings] == ["ok"] * len(KEYS) + ["note"]


@pytest.mark.parametrize(
    ("field", "lifetime", "level", "words"),
    [
        (None, None, "note", "there is no Cache-Control: keys are fresh for 10 min"),
        ("no-store", None, "note", "Cache-Control is 'no-store': keys are fresh for 10 min"),
        ("max-age=5", None, "note", "keys are fresh for 60 s, the least"),
        ("public, max-age=3600", None, "ok", "keys are fresh for 60 min"),
        ("max-age=999999", None, "warning", "keys are fresh for 24 h, the most"),
        ("max-age=5", 300, "ok", "keys are fresh for 5 min, as configured"),
        ("max-age=5", float("inf"), "warning", "keys are fresh for ever, as configured"),
    ],
)
def test_for_how_long_keys_are_kept_and_by_whose_word(
    field: str | None, lifetime: float | None, level: str, words: str
) -> None:
    one = about_cache(
        provider(keys=RemoteKeys(lifetime=lifetime)),
        Answer(PLACE, 200, {} if field is None else {"cache-control": field}),
    )
    assert one.level == level
    assert one.found.endswith(words)


# -- settings ----------------------------------------------------------------------------------------

SECRET = {"kty": "oct", "k": base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")}


@pytest.mark.parametrize(
    ("make", "about", "words"),
    [
        (
            lambda: provider(dangerously_accept_any_audience=True, audience=None),
            "audience",
            "any is accepted",
        ),
        (
            lambda: provider(None, dangerously_accept_any_issuer=True, keys=KEYS),  # type: ignore[arg-type]  # as it is used
            "issuer",
            "any is accepted",
        ),
        (
            lambda: provider("http://login.internal", keys=RemoteKeys(dangerously_allow_http=True)),
            "keys",
            "over plain http",
        ),
        (lambda: provider("http://login.internal", keys=f"{ISSUER}/jwks"), "address", "is plain http"),
        (lambda: provider("https://login.localhost"), "address", "below localhost"),
        (lambda: provider(leeway=120), "leeway", "for 2 min after"),
        (lambda: provider(keys=RemoteKeys(lifetime=86_400 * 3)), "lifetime", "for 3 days"),
        (lambda: provider(keys=RemoteKeys(lifetime=float("inf"))), "lifetime", "for ever"),
        (lambda: provider(keys=SECRET, algorithms="HS256"), "algorithms", "HS256"),
        (
            lambda: provider(introspection=Introspection("a", "s" * 32, revocation_budget=3600)),
            "introspection",
            "for 60 min",
        ),
        (
            lambda: provider(
                introspection=Introspection("a", method="none", dangerously_unauthenticated=True)
            ),
            "introspection",
            "without credentials",
        ),
    ],
)
def test_a_setting_that_is_weaker_than_it_has_to_be_is_a_warning(
    make: Callable[[], Provider], about: str, words: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        findings = about_settings(make())
    [one] = [finding for finding in findings if finding.about == about]
    assert one.level == "warning"
    assert words in one.found
    assert one.advice


@pytest.mark.parametrize("url", [ISSUER, "http://127.0.0.1:9000", "http://localhost:9000"])
def test_nothing_is_said_of_settings_as_they_are_by_default(url: str) -> None:
    assert [one.level for one in about_settings(provider(url))] == ["ok"]


def test_what_several_providers_share_is_a_warning() -> None:
    server = ResourceServer(provider(), provider("https://other.example"), resource="https://api.example")
    [one] = about_server(server)
    assert (one.level, one.about) == ("warning", "audience")
    assert "'https://login.example', 'https://other.example'" in one.found
    apart = ResourceServer(
        provider(), provider("https://other.example", audience="b"), resource="https://api.example"
    )
    assert [one.level for one in about_server(apart)] == ["ok"]


def test_proofs_that_are_good_for_long_are_a_warning_unless_a_nonce_says_otherwise() -> None:
    def levels(dpop: DPoP) -> list[str]:
        return [
            one.level
            for one in about_server(ResourceServer(provider(), dpop=dpop, resource="https://a.test"))
        ]

    assert levels(DPoP(max_age=300)) == ["warning"]
    assert levels(DPoP(max_age=300, nonce=True)) == ["note"], "which is about browsers"


def test_a_nonce_is_noted_as_pages_see_it_only_where_cors_exposes_it() -> None:
    """RFC 9449, section 8; the answers of the API itself are not asked for."""
    server = ResourceServer(provider(), dpop=DPoP(nonce=True), resource="https://a.test")
    [one] = about_server(server)
    assert (one.level, one.about) == ("note", "DPoP")
    assert one.advice is not None
    assert "DPoP-Nonce and WWW-Authenticate" in one.advice
    server = ResourceServer(provider(), dpop=DPoP(), resource="https://a.test")
    assert [one.level for one in about_server(server)] == ["ok"]


def test_proofs_that_are_accepted_unnoted_are_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        dpop = DPoP(dangerously_accept_replays=True)
    [one] = about_server(ResourceServer(provider(), dpop=dpop, resource="https://a.test"))
    assert (one.level, one.about) == ("warning", "DPoP")
    assert "dangerously_accept_replays" in one.found
    assert one.advice


def test_whose_word_on_certificates_is_taken_is_told_with_what_must_not_change_it() -> None:
    def said(source: ClientCertificate | None) -> list[Finding]:
        return about_server(ResourceServer(provider(), certificate=source, resource="https://a.test"))

    [one] = said(ClientCertificate.from_proxy("caddy", peers=["10.0.0.0/8", "unix"]))
    assert (one.level, one.about) == ("note", "certificate")
    assert "client-cert" in one.found
    assert "10.0.0.0/8, unix" in one.found
    assert one.advice is not None
    for word in ("--no-proxy-headers", "ProxyFix", "client_cert"):
        assert word in one.advice
    for other in (None, ClientCertificate.from_tls()):
        assert [one.level for one in said(other)] == ["ok"]


def test_every_option_that_opens_something_is_looked_at() -> None:
    options = set(re.findall(r"^\| `(dangerously_\w+)`", CONFIGURATION.read_text("utf-8"), re.MULTILINE))
    assert options
    source = Path(settings.__file__).read_text("utf-8")
    assert {option for option in options if f"({option})" not in source} == set()


def test_revocations_that_may_be_missed_are_a_warning() -> None:
    def said(**options: Any) -> list[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            revocation = Revocation(**options)
        server = ResourceServer(provider(), revocation=revocation, resource="https://a.test")
        return [one.found for one in about_server(server) if one.level == "warning"]

    assert said() == []
    assert said(max_lag=300) == ["may be 5 min behind"]
    assert said(dangerously_accept_unheard_revocations=True) == [
        "accepted unheard (dangerously_accept_unheard_revocations)"
    ]


def test_issuers_of_a_function_are_looked_at_one_by_one() -> None:
    server = ResourceServer.trusting(lambda issuer: False, audience="a")
    assert any("bearerguard doctor ISSUER" in str(one.advice) for one in about_server(server))


# -- the store ---------------------------------------------------------------------------------------

WELL = StoreFacts(0.25, 0.002, None, "7.0.15", "noeviction", 0, 1_000_000, 0, False, True)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "ok", "answered in 2 ms; 250 ms are waited for"),
        ({}, "ok", "nothing is forgotten before its time"),
        ({"failure": "ConnectionError: refused"}, "error", "cannot be asked: ConnectionError: refused"),
        ({"seconds": 0.2}, "warning", "answered in 200 ms"),
        ({"version": "6.2.1"}, "error", "is of version 6.2.1"),
        ({"is_replica": True}, "error", "is a replica"),
        ({"policy": "allkeys-lru"}, "warning", "when its memory is full (allkeys-lru)"),
        ({"policy": "volatile-ttl", "evicted": 12345}, "warning", "has forgotten 12,345 names so far"),
        ({"limit": 1_050_000}, "warning", "95% of its memory is in use"),
        ({"is_sealing": False}, "note", "has no secret"),
        ({"is_unencrypted": True}, "warning", "is asked over a network without TLS"),
    ],
)
def test_a_store_is_looked_at_for_what_it_may_forget(changes: dict[str, Any], level: str, words: str) -> None:
    findings = about_store(WELL._replace(**changes))
    [one] = [finding for finding in findings if words in finding.found]
    assert one.level == level
    assert (one.advice is None) == (level in ("ok", "note"))
    assert [finding for finding in findings if finding.level in ("warning", "error") and finding != one] == []


@pytest.mark.parametrize(
    ("url", "is_unencrypted"),
    [
        ("redis://cache.internal:6379/0", True),
        ("redis://user:password@10.0.0.7", True),
        ("rediss://cache.internal", False),
        ("redis://127.0.0.1:6379", False),
        ("redis://localhost/0", False),
        ("redis:///0", False),
        ("unix:///run/valkey.sock", False),
    ],
)
def test_a_store_that_is_asked_over_a_network_without_tls_is_told_by_its_url(
    url: str, is_unencrypted: bool
) -> None:
    assert RedisStore(url, secret="s" * 32).commands.is_unencrypted is is_unencrypted


@pytest.mark.parametrize(
    ("health", "are_heard", "is_shared", "level", "words"),
    [
        ({"lag": 0.4, "skipped": 0}, True, True, "ok", "3 in force, heard 0 s ago"),
        ({"lag": 0.4, "skipped": 2}, True, True, "warning", "2 entries in the store cannot be read"),
        ({}, True, False, "note", "known only to the process"),
        ({"lag": None, "skipped": 0}, False, True, "error", "cannot be heard"),
        ({"full": True}, False, True, "error", "the list is full"),
    ],
)
def test_revocations_are_looked_at_for_whether_they_are_heard(
    health: dict[str, Any], are_heard: bool, is_shared: bool, level: str, words: str
) -> None:
    whole = {"entries": 3, "full": False, **health}
    findings = about_revocations(whole, are_heard=are_heard, is_shared=is_shared)
    assert [one.level for one in findings if words in one.found] == [level]


# -- the whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "status", "word"),
    [
        ([], 0, "ok"),
        (["ok", "note"], 0, "ok"),
        (["note", "warning"], 1, "warnings"),
        (["error", "ok"], 2, "errors"),
    ],
)
def test_the_worst_finding_is_the_status(levels: list[Any], status: int, word: str) -> None:
    sections = tuple(Section("x", (Finding(level, "a", "b"),)) for level in levels)
    assert status_of(sections) == status
    assert to_dict(sections)["status"] == word
