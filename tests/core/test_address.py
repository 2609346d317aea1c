from __future__ import annotations

import pytest

from bearerguard._core.address import (
    is_address,
    is_loopback,
    is_on_this_machine,
    is_plain,
    metadata_addresses,
    why_insecure,
)
from tests.names import plain


@pytest.mark.parametrize(
    "text", ["https://login.example/jwks", "http://127.0.0.1/jwks", "file:///keys", "HTTPS://x"]
)
def test_a_url_of_any_scheme_is_meant_as_an_address(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"keys": [], "jku": "https://login.example"}',
        '{"a":"https://login.example"}',
        ' [{"x5u": "https://x"}]',
        "-----BEGIN PUBLIC KEY-----\n",
        "login.example/jwks",
        "",
    ],
)
def test_json_pem_and_other_texts_are_not(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example/jwks",
        "https://login.example:8443/jwks?v=1",
        "HTTPS://login.example/jwks",
        "http://127.0.0.1:8080/jwks",
        "http://127.1.2.3/jwks",
        "http://[::1]:8080/jwks",
        "http://localhost/jwks",
        "http://[0:0:0:0:0:0:0:1]/jwks",
        "http://[0000::0001]/jwks",
        "http://LOCALHOST/jwks",
    ],
)
def test_https_anywhere_and_http_on_loopback_are_secure(url: str) -> None:
    assert why_insecure(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/jwks",
        "http://localhost.example/jwks",
        "http://127.0.0.1.example/jwks",
        "http://10.0.0.1/jwks",
        "http://[::2]/jwks",
        "http://0.0.0.0/jwks",
        "http://issuer.localhost/jwks",
        "http://localhost./jwks",
        "http://127.0.0.1./jwks",
        "http://127.1/jwks",
        "http://2130706433/jwks",
        "http://0x7f.0.0.1/jwks",
        "http://[::ffff:127.0.0.1]/jwks",
        "http://[::127.0.0.1]/jwks",
        "http://[::1%25eth0]/jwks",
    ],
)
def test_http_off_loopback_takes_an_option(url: str) -> None:
    assert why_insecure(url) == "it is not https"
    assert why_insecure(url, allow_http=True) is None


@pytest.mark.parametrize(
    "url", ["ftp://login.example/jwks", "file://login.example/jwks", "ws://127.0.0.1/jwks"]
)
def test_any_other_scheme_is_insecure_whatever_the_options(url: str) -> None:
    assert why_insecure(url, allow_http=True) == "it is neither https nor http"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "login.example",
        "https://",
        "https:///jwks",
        "file:///etc/keys",
        "https://[::1/jwks",
        "https://login.example:port/jwks",
        "https://login.example:99999/jwks",
        "https://login.example/a b",
        "https://login.example/a\nb",
        "https://login.example/\x7f",
        " https://login.example/",
    ],
    ids=plain,
)
def test_what_is_not_a_url_is_called_so(url: str) -> None:
    assert why_insecure(url) == "it is not a URL"


@pytest.mark.parametrize(
    "url", ["https://user@login.example/", "https://:secret@login.example/", "https://a:b@c/"]
)
def test_a_password_does_not_belong_into_an_address(url: str) -> None:
    assert "password" in str(why_insecure(url))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("::1", True),
        ("0:0::1", True),
        ("x.localhost", False),
        ("", False),
        ("127.255.0.1", True),
        ("login.example", False),
        ("8.8.8.8", False),
    ],
)
def test_loopback_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("scheme", ["http", "https", "HTTP"])
def test_a_url_leads_to_this_machine_by_the_rule_by_which_http_is_taken(scheme: str) -> None:
    for host in ("127.0.0.1", "127.9.9.9:80", "localhost:8080", "[::1]", "[0:0:0:0:0:0:0:1]:1"):
        assert is_on_this_machine(f"{scheme}://{host}/jwks")
        assert why_insecure(f"http://{host}/jwks") is None
    for host in ("x.localhost", "127.0.0.1.example", "127.0.0.1@login.example", "[::1", "", "login.example"):
        assert not is_on_this_machine(f"{scheme}://{host}/jwks")


def test_a_url_is_plain_where_it_is_http_and_can_be_read() -> None:
    assert is_plain("http://127.0.0.1/jwks")
    assert is_plain("HTTP://localhost")
    for url in ("https://127.0.0.1/jwks", "httpx://127.0.0.1", "127.0.0.1/http://", "http://[::1", ""):
        assert not is_plain(url)


@pytest.mark.parametrize(
    ("issuer", "addresses"),
    [
        (
            "https://login.example",
            (
                "https://login.example/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server",
            ),
        ),
        (
            "https://login.example/",
            (
                "https://login.example/.well-known/openid-configuration",
                "https://login.example/.well-known/oauth-authorization-server",
            ),
        ),
        (
            "http://127.0.0.1:8080/tenants/7/",
            (
                "http://127.0.0.1:8080/tenants/7/.well-known/openid-configuration",
                "http://127.0.0.1:8080/.well-known/oauth-authorization-server/tenants/7",
                "http://127.0.0.1:8080/.well-known/openid-configuration/tenants/7",
            ),
        ),
    ],
    ids=["no path", "slash", "path"],
)
def test_metadata_stands_behind_the_issuers_path_or_before_it(
    issuer: str, addresses: tuple[str, ...]
) -> None:
    assert metadata_addresses(issuer) == addresses
