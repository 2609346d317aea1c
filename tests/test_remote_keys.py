from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from bearerguard import ConfigurationError, RemoteKeys, SecurityWarning
from bearerguard.testing import signing_key

URL = "https://login.example/jwks"
SECRET = signing_key("oct").secret_jwk()


def test_by_default_keys_are_discovered_from_the_issuer() -> None:
    keys = RemoteKeys()
    assert (keys.url, keys.function, keys.lifetime, keys.pinned_thumbprints) == (None, None, None, None)
    assert keys.http_options == {}
    assert not keys.dangerously_allow_http


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/jwks"])
def test_an_address_is_taken_over_https_and_from_loopback(url: str) -> None:
    assert RemoteKeys(url).url == url


def test_a_function_stands_in_place_of_an_address() -> None:
    def function() -> None: ...

    keys = RemoteKeys(function=function, lifetime=60, pinned_thumbprints="A" * 43)
    assert (keys.url, keys.function) == (None, function)


def test_nothing_of_it_can_be_changed() -> None:
    options = {"timeout": 1}
    frozen: Any = RemoteKeys(http_options=options)
    options["timeout"] = 100
    assert frozen.http_options == {"timeout": 1}
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.url = "https://evil.example/jwks"
    with pytest.raises(TypeError):
        frozen.http_options["verify"] = False


def test_it_can_be_built_anew_with_a_change() -> None:
    first = RemoteKeys(URL, lifetime=60, pinned_thumbprints=["A" * 43], http_options={"timeout": 1})
    second = dataclasses.replace(first, lifetime=120)
    assert (second.url, second.lifetime, second.pinned_thumbprints) == (URL, 120, frozenset({"A" * 43}))
    assert second.http_options == {"timeout": 1}


@pytest.mark.parametrize("lifetime", [None, 0.1, 60, math.inf])
def test_a_lifetime_may_be_any_time_or_for_ever(lifetime: float | None) -> None:
    assert RemoteKeys(lifetime=lifetime).lifetime == lifetime


def test_pins_may_be_one_or_several() -> None:
    one, other = "A" * 43, "b" * 43
    assert RemoteKeys(pinned_thumbprints=one).pinned_thumbprints == frozenset({one})
    assert RemoteKeys(pinned_thumbprints=[one, other]).pinned_thumbprints == frozenset({one, other})


def test_not_following_redirects_is_not_an_option_to_complain_of() -> None:
    assert RemoteKeys(http_options={"follow_redirects": False, "timeout": 1}).http_options == {"timeout": 1}


def test_metadata_and_keys_one_by_one_have_addresses_of_their_own() -> None:
    inside = RemoteKeys(metadata_url=METADATA.replace("https://login.example", "http://127.0.0.1:8080"))
    assert repr(inside) == f"RemoteKeys(metadata_url={inside.metadata_url!r})"
    assert RemoteKeys(BY_KID, kid_pattern="[0-9a-f-]{36}").kid_pattern == "[0-9a-f-]{36}"


def test_its_repr_shows_no_options() -> None:
    secret = {"headers": {"x-api-key": "k1"}}
    assert repr(RemoteKeys(URL, http_options=secret)) == f"RemoteKeys({URL!r})"
    assert repr(RemoteKeys(http_options=secret)) == "RemoteKeys()"
    assert repr(RemoteKeys(function=dict)) == "RemoteKeys(function=<class 'dict'>)"


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_plain_http_off_loopback_takes_the_option_with_the_long_name() -> None:
    insecure = "http://login.example/jwks"
    with pytest.raises(ConfigurationError):
        RemoteKeys(insecure)
    assert RemoteKeys(insecure, dangerously_allow_http=True).url == insecure


@pytest.mark.parametrize(
    "option", [{"dangerously_allow_http": True}, {"http_options": {"verify": False}}], ids=str
)
def test_a_way_to_keys_that_others_can_change_is_warned_of(option: dict[str, Any]) -> None:
    with pytest.warns(SecurityWarning, match=r"RemoteKeys\('https://login.example/jwks'\)") as warned:
        RemoteKeys(URL, **option)
    assert [warning.filename for warning in warned] == [__file__]


METADATA = "https://login.example/realms/shop/.well-known/openid-configuration"
BY_KID = "https://login.example/keys/{kid}"

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("lifetime of nothing", {"lifetime": 0}, "math.inf"),
    ("negative lifetime", {"lifetime": -1}, "math.inf"),
    ("lifetime as text", {"lifetime": "60"}, "seconds above 0"),
    ("lifetime that is not a number", {"lifetime": math.nan}, "seconds above 0"),
    ("metadata as keys", {"url": "https://a.example/.well-known/openid-configuration?a=b"}, "leave keys out"),
    ("redirects", {"http_options": {"follow_redirects": True}}, "Give the final address as keys"),
    ("options of another type", {"http_options": "timeout=5"}, "http_options is a str: give a mapping"),
    ("no pins", {"pinned_thumbprints": []}, "leave it out"),
    ("a pin of another form", {"pinned_thumbprints": ["AB:CD"]}, "RFC 7638"),
    ("pins of another type", {"pinned_thumbprints": 5}, "RFC 7638"),
    ("http", {"url": "http://login.example/jwks"}, "it is not https: give an https:// URL"),
    ("a file", {"url": "file:///etc/jwks.json"}, "give an https:// URL"),
    ("a password in an address", {"url": "https://a:hunter2@login.example/"}, "holds a password"),
    ("no address", {"url": "https://"}, "it is not a URL"),
    ("a host without scheme", {"url": "login.example/jwks"}, "give an https:// URL"),
    ("keys as an object", {"url": SECRET}, "to Provider(keys=...) itself"),
    ("a function as the address", {"url": dict}, "function=..."),
    ("a function that is not one", {"function": URL}, "give a function without arguments"),
    ("two places", {"url": URL, "function": dict}, "choose one"),
    ("metadata and an address", {"url": URL, "metadata_url": METADATA}, "exclude each other"),
    ("metadata at no such place", {"metadata_url": "https://login.example"}, "not the address of metadata"),
    ("metadata of another type", {"metadata_url": 5}, "not the address of metadata"),
    (
        "metadata over http",
        {"metadata_url": METADATA.replace("https", "http")},
        "dangerously_allow_http=True",
    ),
    ("metadata and a function", {"metadata_url": METADATA, "function": dict}, "choose one"),
    ("a place for key ids without a pattern", {"url": BY_KID}, "kid_pattern is left out"),
    ("a pattern without a place", {"url": URL, "kid_pattern": "[a-f]+"}, "one {kid} in its path"),
    ("a pattern for nothing", {"kid_pattern": "[a-f]+"}, "one {kid} in its path"),
    ("a place in the host", {"url": "https://{kid}.example/a", "kid_pattern": "[a-f]+"}, "in its path"),
    ("a pattern that is not one", {"url": BY_KID, "kid_pattern": "["}, "not a regular expression"),
    ("a pattern that takes anything", {"url": BY_KID, "kid_pattern": ".*"}, "takes more than a name"),
    ("a pattern that takes a folder", {"url": BY_KID, "kid_pattern": "[a-z/]+"}, "takes more than a name"),
    ("a pattern of another type", {"url": BY_KID, "kid_pattern": 5}, "give the regular expression"),
    ("a function over HTTP", {"function": dict, "http_options": {"timeout": 1}}, "choose one"),
]


@pytest.mark.parametrize(("options", "instead"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_contradictory_or_unsafe_is_refused_with_what_to_write(
    options: dict[str, Any], instead: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        RemoteKeys(**options)
    message = str(refused.value)
    assert message.startswith("RemoteKeys: ")
    assert instead in message
    assert message.endswith(".")
    assert "hunter2" not in message
    assert SECRET["k"] not in message
