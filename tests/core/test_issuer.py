from __future__ import annotations

import pytest

from bearerguard._core.issuer import holds_password, is_well_formed, why_not_an_issuer, why_not_discovered
from bearerguard._limits import MAX_ISSUER_CHARACTERS
from tests.names import plain

ISSUER = "https://login.example"


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER,
        f"{ISSUER}/",
        f"{ISSUER}/realms/shop",
        "http://keycloak:8080/realms/shop",
        "accounts.example",
        "My Issuer",
        "urn:example:issuer",
        "tenant@example",
        "x",
        '"',
        f"{ISSUER}/.well-known/other",
        "X",
        "XaX",
    ],
)
def test_any_text_may_be_an_issuer(issuer: str) -> None:
    assert why_not_an_issuer(issuer) is None


@pytest.mark.parametrize(
    "space", [" ", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\ufeff", "\u200b"], ids=plain
)
def test_white_space_around_an_issuer_is_shown_with_what_to_write(space: str) -> None:
    for given in (space + ISSUER, ISSUER + space, space + ISSUER + space, space + "accounts.example"):
        said = why_not_an_issuer(given)
        assert said == f"issuer is {given!r}, with white space around it: write {given.strip(space)!r}"


@pytest.mark.parametrize("given", [" ", "\n", "\t \n", "\u200b"], ids=plain)
def test_white_space_alone_is_not_an_issuer(given: str) -> None:
    assert why_not_an_issuer(given) == (
        "issuer is only white space: write the exact 'iss' of its tokens, such as 'https://login.example/'"
    )


@pytest.mark.parametrize(
    "given", [f"{ISSUER}/a b", "acc\nounts", f"{ISSUER}/\0", "acc\u200bounts"], ids=plain
)
def test_white_space_within_a_url_or_a_control_character_anywhere_is_a_mistake(given: str) -> None:
    assert "in it: write it without" in str(why_not_an_issuer(given))


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("issuer", [ISSUER, "x"])
def test_quotation_marks_of_a_file_of_settings_are_a_mistake(quote: str, issuer: str) -> None:
    assert "quotation marks" in str(why_not_an_issuer(f"{quote}{issuer}{quote}"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (f"{ISSUER}/.well-known/openid-configuration", ISSUER),
        (f"{ISSUER}/.well-known/openid-configuration/", ISSUER),
        (f"{ISSUER}/.well-known/openid-configuration?appid=1", ISSUER),
        (f"{ISSUER}/realms/shop/.well-known/openid-configuration", f"{ISSUER}/realms/shop"),
        (f"{ISSUER}/.well-known/oauth-authorization-server", ISSUER),
        (f"{ISSUER}/.well-known/oauth-authorization-server/shop", f"{ISSUER}/shop"),
        (f"{ISSUER}/.well-known/openid-configuration/shop", f"{ISSUER}/shop"),
        (f"{ISSUER}/.well-known/openid-configuration/X/", f"{ISSUER}/X"),
    ],
)
def test_the_address_of_metadata_says_which_issuer_is_meant(given: str, meant: str) -> None:
    said = why_not_an_issuer(given)
    assert said == f"issuer is the address of its metadata: write the 'issuer' named there, such as {meant!r}"


@pytest.mark.parametrize("given", ["https://u:hunter2@login.example/", "https://hunter2@login.example"])
def test_a_password_is_named_and_not_shown(given: str) -> None:
    assert holds_password(given)
    assert why_not_an_issuer(given) == (
        "issuer holds a password: write the exact 'iss' of its tokens, which has none"
    )
    for said in (why_not_an_issuer(given), why_not_discovered(given, allow_http=False)):
        assert "hunter2" not in str(said)


@pytest.mark.parametrize(
    "given", [ISSUER, f"{ISSUER}/realms/shop/", "http://127.0.0.1:8080", "http://localhost"]
)
def test_keys_are_discovered_from_an_https_url_or_loopback(given: str) -> None:
    assert why_not_discovered(given, allow_http=False) is None


@pytest.mark.parametrize(
    "host", ["tenant.eu.auth0.com", "tenant.eu.auth0.com/", "login.example:8443/realms/x"]
)
def test_a_bare_domain_is_shown_as_a_url(host: str) -> None:
    said = str(why_not_discovered(host, allow_http=False))
    assert said.startswith("keys is left out, so they would be discovered from the issuer, which is ")
    assert f"such as 'https://{host.rstrip('/')}/', with or without the slash" in said


@pytest.mark.parametrize(
    "given", ["http://keycloak:8080/realms/shop", "http://auth.localhost", "http://10.0.0.1"]
)
def test_plain_http_off_loopback_names_what_takes_it(given: str) -> None:
    assert "it is not https: " in str(why_not_discovered(given, allow_http=False))
    instead = "docker compose, keys=RemoteKeys(dangerously_allow_http=True)"
    assert instead in str(why_not_discovered(given, allow_http=False))
    assert why_not_discovered(given, allow_http=True) is None


@pytest.mark.parametrize("given", [f"{ISSUER}?tenant=1", f"{ISSUER}/#shop", "http://localhost/?a"])
def test_a_query_or_a_fragment_is_not_part_of_an_issuer_to_be_asked(given: str) -> None:
    assert "query or a fragment" in str(why_not_discovered(given, allow_http=False))


@pytest.mark.parametrize("given", ["My Issuer", "", "urn:example:issuer", "ftp://login.example"])
def test_what_nobody_can_be_asked_at_needs_keys(given: str) -> None:
    assert str(why_not_discovered(given, allow_http=True)).endswith(
        "give keys, such as the provider's jwks_uri"
    )


@pytest.mark.parametrize(
    "issuer", ["https://a.example", "https://a.example/b/", "http://127.0.0.1:8080", "https://a:1"]
)
def test_an_https_url_may_be_asked_about(issuer: str) -> None:
    assert is_well_formed(issuer)


def test_an_issuer_of_the_greatest_length_may_be_asked_about() -> None:
    longest = f"{ISSUER}/".ljust(MAX_ISSUER_CHARACTERS, "x")
    assert is_well_formed(longest)
    assert not is_well_formed(f"{longest}x")


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "a.example",
        "http://a.example",
        "ftp://a.example",
        "https://",
        "https://u@a.example",
        "https://a.example/@b",
        "https://a.example?b",
        "https://a.example/?",
        "https://a.example#",
        "https://a.example\\@b.example",
        "https://a.example\\b.example",
        "https://a.example/ b",
        "https://a.example/\n",
        "https://ä.example",
        "https://{a}.example",
        "https://a.example:x",
        "https://a.example/.well-known/openid-configuration",
        "https://a.example/" + "b" * 500,
    ],
)
def test_anything_else_is_not_asked_about(issuer: str) -> None:
    assert not is_well_formed(issuer)


WRITE = "give keys, such as the provider's jwks_uri"


@pytest.mark.parametrize(
    ("issuer", "shown", "why", "remedy"),
    [
        (
            "https://login.example/?a=b",
            "https://login.example/?a=b",
            "it has a query or a fragment, which an issuer must not have (RFC 8414, section 2)",
            f"write it without, or {WRITE}",
        ),
        (
            "login.example/",
            "login.example/",
            None,
            "such as 'https://login.example/', with or without the slash, or",
        ),
        ("login.example/X/", "login.example/X/", None, "such as 'https://login.example/X/', with"),
        ("urn:example:issuer and more", "urn:example:issuer and more", None, f": {WRITE}"),
        ("ftp://a:b@c@login.example", "login.example", None, f": {WRITE}"),
    ],
)
def test_what_cannot_be_discovered_is_told_with_what_to_write(
    issuer: str, shown: str, why: str | None, remedy: str
) -> None:
    said = why_not_discovered(issuer, allow_http=False)
    assert said is not None
    assert said.startswith(
        f"keys is left out, so they would be discovered from the issuer, which is {shown!r}, but "
    )
    assert f"but {why or ''}" in said
    assert remedy in said
    assert said.endswith(WRITE)
