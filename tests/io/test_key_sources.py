from __future__ import annotations

import gc
import ssl
import time
import weakref
from collections.abc import Callable
from math import inf
from typing import Any

import httpx2
import pytest

from bearerguard import ConfigurationError, Provider, RemoteKeys, ResourceServer
from bearerguard._flows.key_fetch import Called, Discovered, Published
from bearerguard._io.key_sources import AnyKeySource, KeySources, origin_of
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard._io.static_keys import StaticKeySource
from bearerguard.testing import Clock, Issuer, signing_key

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


def key_source(built: Provider, clock: Callable[[], float] = time.time) -> AnyKeySource:
    return KeySources(clock).add(built)


def shared(one: Provider, other: Provider) -> bool:
    return key_source(one) is key_source(other)


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
        {"keys": None, "dangerously_allow_http": True},
        {"http_options": {"headers": {"a": "b"}}},
        {"http_options": {"timeout": 1}},
    ],
    ids=str,
)
def test_providers_that_would_fetch_differently_do_not_share(options: dict[str, Any]) -> None:
    assert not shared(provider(), provider(**options))
    assert shared(provider(**options), provider(**options))


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_discovered_keys_are_shared_where_the_same_may_be_discovered() -> None:
    assert not shared(provider(keys=None), provider(keys=None, dangerously_allow_http=True))
    assert not shared(provider(keys=None), provider("https://another.test", keys=None))
    assert shared(provider(keys=None), provider(keys=None, name="other"))


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
    source = weakref.ref(server._keys["https://issuer.test"])
    assert source() is key_source(provider())
    del server
    gc.collect()
    assert source() is None


def test_given_keys_make_a_source_that_never_fetches() -> None:
    source = key_source(provider(keys=signing_key("P-256").public_jwk()))
    assert isinstance(source, StaticKeySource)
    source.refresh_ahead(inf)
    assert source.key_set is not None
    assert len(source.key_set.keys.all) == 1


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_where_the_keys_come_from_is_an_address_an_issuer_or_a_function() -> None:
    def function() -> None: ...

    pinned: dict[str, Any] = {"pinned_thumbprints": ["A" * 43]}
    pins = frozenset({"A" * 43})
    assert origin_of(*parts(provider(**pinned))) == Published(URL, pins)
    assert origin_of(*parts(provider(keys=None, dangerously_allow_http=True, **pinned))) == Discovered(
        "https://issuer.test", pins, allow_http=True
    )
    assert origin_of(*parts(provider(keys=function))) == Called(function)


def test_keys_by_a_function_need_no_http_client() -> None:
    source = key_source(provider(keys=lambda: None))
    assert isinstance(source, RemoteKeySource)
    assert source.client is None


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
        key_source(provider(http_options=options))


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


# -- a server's register


def test_the_sources_of_a_server_are_found_by_the_names_of_its_providers() -> None:
    sources = KeySources(time.time)
    one, other = sources.add(provider(name="one")), sources.add(provider(name="other", keys=f"{URL}/2"))
    assert (sources["one"], sources["other"]) == (one, other)


def test_a_provider_may_be_added_at_any_time() -> None:
    issuer = Issuer(algorithm="ES256")
    sources = KeySources(issuer.clock)
    sources.add(issuer.provider(name="first"))
    sources.warm_up()
    sources.add(issuer.provider(name="later", keys=issuer.jwks()))
    other = Issuer("https://other.test", algorithm="ES256", clock=issuer.clock)
    sources.add(other.provider(name="last"))
    assert [name for name, _ in sources.missing()] == ["last"]
    sources.warm_up()
    states = {name: entry["state"] for name, entry in sources.health().items()}
    assert states == {"first": "fresh", "later": "fixed", "last": "fresh"}
    assert set(sources.snapshot()["providers"]) == {"first", "last"}


def test_keys_that_were_given_and_cannot_be_used_are_told_when_their_provider_is_added(
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = signing_key("P-256").public_jwk()
    built = provider(name="login", keys={"keys": [key, {**key, "use": "enc"}]})
    KeySources(time.time).add(built)
    (record,) = caplog.records
    assert record.getMessage().startswith("provider 'login': key 2 of 2")
    assert record.levelname == "WARNING"


@pytest.mark.parametrize(
    ("settings", "asks"),
    [
        ({"keys": None}, True),
        ({}, True),
        ({"issuer": "accounts.example"}, False),
        ({"keys": dict}, False),
        ({"keys": signing_key("P-256").public_jwk()}, False),
    ],
    ids=["discovered", "by URL", "issuer that is not an address", "function", "object"],
)
def test_an_issuer_is_asked_for_metadata_where_its_keys_are_asked_for_too(
    settings: dict[str, Any], asks: bool
) -> None:
    sources = KeySources(time.time)
    sources.add(provider(settings.pop("issuer", "https://issuer.test"), name="login", **settings))
    assert (sources.metadata_of("login") is not None) == asks


def test_metadata_are_shared_by_all_that_ask_the_same_issuer_in_the_same_way() -> None:
    one, other = KeySources(time.time), KeySources(time.time)
    one.add(provider(name="login"))
    other.add(provider(name="login", keys=None))
    other.add(provider(name="elsewhere", http_options={"timeout": 1}))
    assert one.metadata_of("login") is other.metadata_of("login")
    assert other.metadata_of("elsewhere") is not other.metadata_of("login")


# -- its end


def test_a_source_that_another_open_server_uses_lives_on() -> None:
    one, other = KeySources(time.time), KeySources(time.time)
    source = one.add(provider())
    assert other.add(provider()) is source
    assert isinstance(source, RemoteKeySource)
    one.close()
    assert not source.is_closed
    other.close()
    assert source.is_closed


def test_whoever_comes_after_the_last_user_gets_a_source_of_its_own() -> None:
    first = KeySources(time.time)
    source = first.add(provider())
    first.close()
    assert key_source(provider()) is not source


def test_a_server_that_was_forgotten_without_an_end_holds_no_source_open() -> None:
    closing, forgotten = KeySources(time.time), KeySources(time.time)
    source = closing.add(provider())
    assert forgotten.add(provider()) is source
    assert isinstance(source, RemoteKeySource)
    del forgotten
    gc.collect()
    closing.close()
    assert source.is_closed


def test_after_its_end_a_register_is_of_no_use_and_says_so() -> None:
    sources = KeySources(time.time)
    sources.add(provider(name="login"))
    sources.close()
    sources.close()
    uses: list[Callable[[], Any]] = [
        sources.health,
        sources.snapshot,
        sources.warm_up,
        lambda: sources.add(provider()),
        lambda: sources.metadata_of("login"),
    ]
    for use in uses:
        with pytest.raises(ConfigurationError, match="is closed"):
            use()
