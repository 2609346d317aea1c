"""Which address a proof is for: two ways to write one address are one, and two addresses never are."""

from __future__ import annotations

import pytest

from bearerguard._core.htu import address_of, base_of, is_for, normal_form, normal_path, origin_of

ADDRESS = "https://api.example/orders"

SAME = {
    "as it is": "https://api.example/orders",
    "scheme and host in upper case": "HTTPS://API.EXAMPLE/orders",
    "the default port": "https://api.example:443/orders",
    "the default port with a zero in front": "https://api.example:0443/orders",
    "an empty port": "https://api.example:/orders",
    "a query": "https://api.example/orders?page=2",
    "a fragment": "https://api.example/orders#top",
    "a query and a fragment": "https://api.example/orders?a=/../b#c?d",
    "an empty query": "https://api.example/orders?",
    "an unreserved character escaped": "https://api.example/%6frders",
    "a dot segment": "https://api.example/./orders",
    "two dot segments": "https://api.example/a/b/../../orders",
    "a dot segment escaped": "https://api.example/a/%2e%2E/orders",
    "dot segments beyond the root": "https://api.example/../../orders",
    "a WebSocket's scheme": "wss://api.example/orders",
    "a WebSocket's scheme and port": "WSS://api.example:443/orders",
}
OTHER = {
    "another path": "https://api.example/order",
    "a path in another case": "https://api.example/Orders",
    "a slash at the end": "https://api.example/orders/",
    "two slashes": "https://api.example//orders",
    "no path": "https://api.example",
    "another host": "https://api.example.evil.example/orders",
    "a dot behind the host": "https://api.example./orders",
    "another scheme": "http://api.example/orders",
    "another port": "https://api.example:8443/orders",
    "port 0": "https://api.example:0/orders",
    "the default port of another scheme": "https://api.example:80/orders",
    "a port out of range": "https://api.example:65536/orders",
    "a port of many digits": "https://api.example:000000443/orders",
    "a negative port": "https://api.example:-443/orders",
    "a user": "https://user@api.example/orders",
    "a user and a password": "https://user:pass@api.example/orders",
    "an empty user": "https://@api.example/orders",
    "our host as a user": "https://api.example@evil.example/orders",
    "a path that is escaped": "https://api.example/orders%2F",
    "a slash that is escaped": "https://api.example%2Forders",
    "a backslash": "https://api.example\\orders",
    "a tab": "https://api.example/\torders",
    "a space": " https://api.example/orders",
    "a line end": "https://api.example/orders\n",
    "a null": "https://api.example/orders\x00",
    "no scheme": "//api.example/orders",
    "no host": "https:///orders",
    "only a path": "/orders",
    "one slash": "https:/api.example/orders",
    "no slash": "https:api.example/orders",
    "an unknown scheme": "ftp://api.example/orders",
    "a scheme with a digit": "http2://api.example/orders",
    "beyond ASCII": "https://api.example/\u00f6rders",
    "a host beyond ASCII": "https://\u00e4pi.example/orders",
    "a dotless i": "https://ap\u0131.example/orders",
    "a percent sign that begins nothing": "https://api.example/orders%",
    "a percent sign before no digits": "https://api.example/orders%zz",
    "a bracket in the host": "https://[api.example]/orders",
    "the path as a query": "https://api.example?/orders",
    "nothing": "",
}


@pytest.mark.parametrize("htu", SAME.values(), ids=SAME)
def test_an_htu_names_an_address_however_it_is_written(htu: str) -> None:
    """RFC 3986, sections 6.2.2 and 6.2.3; RFC 9449, section 4.3."""
    assert is_for(htu, ADDRESS)


@pytest.mark.parametrize("htu", OTHER.values(), ids=OTHER)
def test_an_htu_of_another_address_does_not(htu: str) -> None:
    assert not is_for(htu, ADDRESS)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("http://127.0.0.1:80/", "http://127.0.0.1/"),
        ("ws://api.example:80", "http://api.example/"),
        ("https://api.example:65535/", "https://api.example:65535/"),
        ("https://xn--pi-via.example/%c3%a4", "https://xn--pi-via.example/%C3%A4"),
        ("https://api.example/a%2fb%7e", "https://api.example/a%2Fb~"),
        ("https://api.example/a/.", "https://api.example/a/"),
        ("https://api.example/a/..", "https://api.example/"),
        ("https://api.example/..", "https://api.example/"),
        ("https://api.example/a..b/.c/d.", "https://api.example/a..b/.c/d."),
        ("https://api.example/a//../b", "https://api.example/a/b"),
    ],
)
def test_an_address_has_one_form(url: str, form: str) -> None:
    assert normal_form(url) == form
    assert normal_form(form) == form


@pytest.mark.parametrize("written", ["a b", "a\tb", "a\x00", "\u00e4", "\ud83d"])
def test_what_no_address_contains_has_no_form(written: str) -> None:
    assert normal_form(f"https://api.example/{written}") is None
    assert normal_form(f"https://{written}.example/") is None


def test_a_port_has_sixteen_bits() -> None:
    assert normal_form("https://api.example:65536/") is None


def test_a_path_has_one_form() -> None:
    assert [normal_path(path) for path in ("", "/", "/a%41", "/%41%", "/%4")] == ["/", "/", "/aA", None, None]


@pytest.mark.parametrize(
    ("target", "address"),
    [
        (b"/orders", ADDRESS),
        (b"/orders?page=2", ADDRESS),
        (b"/%6frders?", ADDRESS),
        (b"/a/../orders", ADDRESS),
        (b"//orders", "https://api.example//orders"),
        (b"/a%2fb", "https://api.example/a%2Fb"),
        (b"/\xc3\xa4 ", "https://api.example/%C3%A4%20"),
        (b"/", "https://api.example/"),
        (b"*", "https://api.example/"),
        (b"", "https://api.example/"),
        (b"/a%", None),
    ],
)
def test_behind_an_origin_stands_the_path_as_it_was_sent(target: bytes, address: str | None) -> None:
    assert address_of(target, origin_of("https://API.example:443/v1")) == address


@pytest.mark.parametrize(
    ("target", "mount", "address"),
    [
        (b"/orders", "", "https://api.example/v1/orders"),
        (b"/orders", "/api", "https://api.example/v1/orders"),
        (b"/api/orders", "/api", "https://api.example/v1/orders"),
        (b"/%61pi/orders", "/api", "https://api.example/v1/orders"),
        (b"/api/orders", "/api/", "https://api.example/v1/orders"),
        (b"/api", "/api", "https://api.example/v1"),
        (b"/api/", "/api", "https://api.example/v1/"),
        (b"/apis/orders", "/api", "https://api.example/v1/apis/orders"),
        (b"/api%2Forders", "/api", "https://api.example/v1/api%2Forders"),
        (b"/api/../orders", "/api", "https://api.example/v1/orders"),
        (b"/api/api/orders", "/api", "https://api.example/v1/api/orders"),
        (b"/caf%C3%A9/orders", "/caf\u00e9", "https://api.example/v1/orders"),
        (b"/orders", "/", "https://api.example/v1/orders"),
        (b"/a:b@c;d=e/orders", "/a:b@c;d=e", "https://api.example/v1/orders"),
        (b"/orders", "\ud83d", "https://api.example/v1/orders"),
    ],
)
def test_behind_a_base_url_stands_the_path_below_the_mount(target: bytes, mount: str, address: str) -> None:
    assert address_of(target, base_of("https://api.example/v1/"), mount) == address


def test_a_mount_itself_is_the_root_where_the_base_url_has_no_path() -> None:
    assert address_of(b"/api", base_of("https://api.example"), "/api") == "https://api.example/"
    assert address_of(b"/api", base_of("https://api.example:8443/"), "/api") == "https://api.example:8443/"
