from __future__ import annotations

import gc
import ssl
import time
import weakref
from math import inf
from typing import Any

import httpx2
import pytest

from bearerguard import ConfigurationError, Provider, RemoteKeys, ResourceServer
from bearerguard._flows.key_fetch import Origin
from bearerguard._io.key_sources import key_source, origin_of
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard._io.static_keys import StaticKeySource
from bearerguard.testing import Clock, signing_key

URL = "https://issuer.test/jwks"


# One for all: loading the certificates takes longer than everything else here.
FETCHING = ("lifetime", "pinned_thumbprints", "http_options", "dangerously_allow_http")
CERTIFICATES = ssl.create_default_context()


def provider(issuer: str = "https://issuer.test", **options: Any) -> Provider:
    keys = options.pop("keys", URL)
    fetching = {name: options.pop(name) for name in FETCHING if name in options}
    if keys is None or isinstance(keys, str):
        fetching["http_options"] = {"verify": CERTIFICATES, **fetching.get("http_options", {})}
        keys = RemoteKeys(keys, **fetching)
    return Provider(issuer, audience="https://api.test", keys=keys, **options)


def parts(built: Provider) -> tuple[str | None, RemoteKeys]:
    assert built.remote_keys is not None
    return built.issuer, built.remote_keys


def shared(one: Provider, other: Provider) -> bool:
    return key_source(one, time.time) is key_source(other, time.time)


def test_providers_with_the_same_address_share_a_source_whatever_else_differs() -> None:
    assert shared(provider(), provider("https://another.test", name="other", leeway=0, algorithms=["RS256"]))


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"keys": f"{URL}/2"},
        {"keys": None},
        {"lifetime": 60},
        {"pinned_thumbprints": ["A" * 43]},
        {"dangerously_allow_http": True},
        {"http_options": {"headers": {"a": "b"}}},
        {"http_options": {"timeout": 1}},
    ],
    ids=str,
)
def test_providers_that_would_fetch_differently_do_not_share(options: dict[str, Any]) -> None:
    assert not shared(provider(), provider(**options))
    assert shared(provider(**options), provider(**options))


def test_servers_with_different_clocks_do_not_share() -> None:
    one, other = Clock(), Clock()
    assert key_source(provider(), one) is not key_source(provider(), other)
    assert key_source(provider(), one) is key_source(provider(), one)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"a": "b", "c": "d"}},
        {"headers": [("a", "b"), ("c", "d")]},
        {"timeout": (1.0, 2.0, 3.0, 4.0)},
        {"trust_env": False},
        {},
    ],
    ids=str,
)
def test_options_of_plain_values_are_the_same_where_they_are_equal(options: dict[str, Any]) -> None:
    import copy

    assert shared(provider(http_options=options), provider(http_options=copy.deepcopy(options)))


@pytest.mark.parametrize(
    "make", [httpx2.MockTransport, lambda _: httpx2.HTTPTransport()], ids=["mock", "real"]
)
def test_objects_among_the_options_are_the_same_only_if_they_are(make: Any) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError

    one, other = make(answer), make(answer)
    assert shared(provider(http_options={"transport": one}), provider(http_options={"transport": one}))
    assert not shared(provider(http_options={"transport": one}), provider(http_options={"transport": other}))


def test_objects_that_cannot_be_hashed_are_told_apart_too() -> None:
    one, other = httpx2.Timeout(5), httpx2.Timeout(5)
    with pytest.raises(TypeError):
        hash(one)
    assert shared(provider(http_options={"timeout": one}), provider(http_options={"timeout": one}))
    assert not shared(provider(http_options={"timeout": one}), provider(http_options={"timeout": other}))
    assert not shared(provider(http_options={"timeout": one}), provider(http_options={"timeout": 5}))


def test_a_source_lives_as_long_as_a_server_uses_it() -> None:
    server = ResourceServer(provider())
    source = weakref.ref(server._sources["https://issuer.test"])
    assert source() is key_source(provider(), time.time)
    del server
    gc.collect()
    assert source() is None


def test_given_keys_make_a_source_that_never_fetches() -> None:
    source = key_source(provider(keys=signing_key("P-256").public_jwk()), time.time)
    assert isinstance(source, StaticKeySource)
    source.refresh_ahead(inf)
    assert source.key_set is not None
    assert len(source.key_set.keys.all) == 1


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_where_the_keys_come_from_is_an_address_an_issuer_or_a_function() -> None:
    def function() -> None: ...

    assert origin_of(*parts(provider())) == Origin(url=URL)
    assert origin_of(*parts(provider(keys=None))) == Origin(issuer="https://issuer.test")
    assert origin_of(*parts(provider(keys=function))) == Origin(function=function)
    assert origin_of(*parts(provider(pinned_thumbprints=["A" * 43], dangerously_allow_http=True))) == Origin(
        url=URL, pinned=frozenset({"A" * 43}), allow_http=True
    )


def test_keys_by_a_function_need_no_http_client() -> None:
    source = key_source(provider(keys=lambda: None), time.time)
    assert isinstance(source, RemoteKeySource)
    assert source._client is None


class Unhashable:
    """As a dataclass is that compares by value."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)

    def __call__(self) -> Any:
        return 1_700_000_000.0


@pytest.mark.parametrize("what", ["clock", "function"])
def test_a_clock_or_a_key_function_need_not_be_hashable(what: str) -> None:
    if what == "clock":
        ResourceServer(provider(), clock=Unhashable())
    else:
        ResourceServer(provider(keys=Unhashable()))


@pytest.mark.parametrize(
    "options", [{"nonsense": 1}, {"headers": 5}, {"auth": 5}, {"proxy": "nonsense"}], ids=str
)
def test_options_that_the_client_does_not_take_are_a_configuration_error(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="http_options"):
        key_source(provider(http_options=options), time.time)


def test_the_error_about_options_names_the_provider() -> None:
    with pytest.raises(ConfigurationError, match="login"):
        ResourceServer(provider(name="login", http_options={"nonsense": 1}))


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://\0"},
        {"mounts": 5},
        {"limits": 5},
    ],
    ids=ascii,
)
def test_no_other_error_of_the_client_escapes(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ResourceServer(provider(http_options=options))
