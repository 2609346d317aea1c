"""Where a token may stand, if not in `Authorization`, and what is refused there before it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bearerguard import (
    AccessDenied,
    AccessToken,
    AuthError,
    Cookie,
    Header,
    InvalidRequest,
    MissingCredentials,
    Provider,
    Request,
)
from bearerguard._core.credentials import DPOP
from bearerguard._core.htu import origin_of
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import AskIntrospection
from bearerguard._flows.places import Places
from bearerguard.request import BareHeaders, Incoming
from tests.certificates import certificate_der, x5t_s256
from tests.flows import asking
from tests.flows.pipeline import FROM_PROXY, ISSUER, JWKS, NOW, TOKEN, StubSource, showing

IAP = Header("X-Goog-IAP-JWT-Assertion")
PROXIED = Header("X-Forwarded-Access-Token", peers=["10.0.0.0/8"])
COOKIE = Cookie("access_token")
RESOURCE = "https://api.example/v1"


def places(*sources: Header | Cookie | None, resource: str | None = RESOURCE) -> Places:
    trusted = [
        (
            Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS, name=str(source), source=source),
            StubSource(JWKS),
        )
        for source in sources
    ]
    return Places(trusted, lambda: NOW, resource)


def request(method: str = "GET", *, peer: str | None = "10.0.0.7", **fields: str) -> Request:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return Request(method, "https://api.example/v1/orders", headers, peer=peer)


def refusal_of(where: Places, asked: Incoming) -> AuthError:
    with pytest.raises(AuthError) as refusal:
        where.found(asked)
    return refusal.value


def test_a_header_of_its_own_carries_the_token_and_nothing_else() -> None:
    raw, _, pipeline = places(IAP).found(request(x_goog_iap_jwt_assertion=f"  {TOKEN}\t"))
    assert raw == TOKEN.encode()
    assert [provider.source for provider in pipeline.providers] == [IAP]


def test_only_spaces_and_tabs_are_cut_off_around_a_token() -> None:
    for text in ("XopaqueX", "\x0bopaque\x0c"):
        assert places(IAP).found(request(x_goog_iap_jwt_assertion=f" {text}\t"))[0] == text.encode()


def test_a_token_goes_to_the_providers_of_its_place_only() -> None:
    where = places(None, IAP, COOKIE)
    for asked, source in [
        (request(authorization=f"Bearer {TOKEN}"), None),
        (request(x_goog_iap_jwt_assertion=TOKEN), IAP),
        (request(cookie=f"a=b; access_token={TOKEN}; c"), COOKIE),
    ]:
        _, _, pipeline = where.found(asked)
        assert [provider.source for provider in pipeline.providers] == [source]


def test_a_cookie_ends_with_its_field_whatever_is_in_it() -> None:
    raw, *_ = places(COOKIE).found(request(cookie="b=c=d; access_token=opaque~token==; e=f"))
    assert raw == b"opaque~token=="


def test_a_token_that_only_its_provider_can_read_may_stand_elsewhere_too() -> None:
    login = asking.provider(source=COOKIE)
    source = asking.Source(login.name)
    where = Places([(login, StubSource(JWKS))], lambda: NOW, RESOURCE, asked={login.name: source})
    raw, scheme, pipeline = where.found(asked := request(cookie=f"access_token={asking.OPAQUE.decode()}"))
    stages = pipeline.admit(raw, asked, scheme, RESOURCE)
    assert not isinstance(stages, AccessToken)
    assert isinstance(question := next(stages), AskIntrospection)
    assert (question.source, question.token) == (source, asking.OPAQUE)


def test_a_token_that_is_bound_to_a_certificate_may_stand_elsewhere_too() -> None:
    certificate = certificate_der()
    provider = Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS, source=IAP)
    binding = Binding(certificate=FROM_PROXY)
    where = Places([(provider, StubSource(JWKS))], lambda: NOW, RESOURCE, binding=binding)
    bound = ISSUER.token(cnf={"x5t#S256": x5t_s256(certificate)})
    for shown, is_owner in ((certificate, True), (certificate_der(), False)):
        asked = showing(shown, (IAP.name, bound))
        raw, scheme, pipeline = where.found(asked)
        if is_owner:
            assert isinstance(pipeline.admit(raw, asked, scheme), AccessToken)
            continue
        with pytest.raises(AuthError) as refused:
            pipeline.admit(raw, asked, scheme)
        assert refused.value.reason == "certificate"


def test_where_only_dpop_is_taken_a_bearer_token_is_not_looked_at() -> None:
    provider = Provider(ISSUER.url, audience=ISSUER.audience, keys=JWKS)
    where = Places([(provider, StubSource(JWKS))], lambda: NOW, RESOURCE, (DPOP,))
    assert refusal_of(where, request(authorization=f"Bearer {TOKEN}")).reason == "proof_required"
    assert where.found(request(authorization=f"DPoP {TOKEN}"))[:2] == (TOKEN.encode(), DPOP)


def test_authorization_is_not_read_where_no_provider_has_its_tokens_there() -> None:
    refusal = refusal_of(places(IAP), request(authorization=f"Bearer {TOKEN}"))
    assert isinstance(refusal, MissingCredentials)
    assert refusal.description == "There is no token in the header x-goog-iap-jwt-assertion."


def test_of_several_places_without_a_token_the_first_is_named() -> None:
    assert refusal_of(places(None, IAP), request()).description == "The Authorization header is missing."
    assert refusal_of(places(COOKIE, IAP), request(cookie="access_token=")).reason == "no_credentials"


def test_another_scheme_in_authorization_leaves_the_other_places_alone() -> None:
    raw, *_ = places(None, IAP).found(request(authorization="Basic dTpw", x_goog_iap_jwt_assertion=TOKEN))
    assert raw == TOKEN.encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"authorization": f"Bearer {TOKEN}", "x_goog_iap_jwt_assertion": TOKEN},
        {"x_goog_iap_jwt_assertion": TOKEN, "cookie": f"access_token={TOKEN}"},
        {"x_goog_iap_jwt_assertion": f"{TOKEN}, {TOKEN}"},
        {"cookie": f"access_token={TOKEN}; access_token={TOKEN}"},
        {"cookie": f"access_token=; access_token={TOKEN}"},
    ],
)
def test_two_tokens_in_one_request_are_refused(fields: dict[str, str]) -> None:
    refusal = refusal_of(places(None, IAP, COOKIE), request(**fields))
    assert (type(refusal), refusal.reason) == (InvalidRequest, "several_tokens")


def test_a_second_field_of_the_same_name_is_refused_whatever_is_in_it() -> None:
    asked = Request("GET", RESOURCE, [(IAP.name, TOKEN), (IAP.name, "")])
    assert refusal_of(places(IAP), asked).reason == "several_tokens"


def test_a_malformed_authorization_is_refused_even_beside_a_good_token() -> None:
    refusal = refusal_of(places(None, IAP), request(authorization="Bearer", x_goog_iap_jwt_assertion=TOKEN))
    assert refusal.reason == "malformed_header"


@pytest.mark.parametrize(
    "name",
    ["Access_token", "access_token ", "xaccess_token", "Xaccess_token", "\x0baccess_token", "access"],
)
def test_a_cookie_of_another_name_is_not_the_token(name: str) -> None:
    assert refusal_of(places(COOKIE), request(cookie=f"{name}={TOKEN}")).reason == "no_credentials"


def test_cookies_may_come_in_several_fields() -> None:
    asked = Request("GET", RESOURCE, [("cookie", "a=b"), ("cookie", f"access_token={TOKEN}")])
    assert places(COOKIE).found(asked)[0] == TOKEN.encode()


# -- peers -----------------------------------------------------------------------------------------------


def test_a_header_of_a_proxy_is_read_from_the_proxy() -> None:
    assert places(PROXIED).found(request(x_forwarded_access_token=TOKEN))[0] == TOKEN.encode()


@pytest.mark.parametrize("peer", ["203.0.113.9", None, "testclient"])
def test_from_anybody_else_it_counts_as_absent(peer: str | None) -> None:
    refusal = refusal_of(places(PROXIED), request(peer=peer, x_forwarded_access_token=TOKEN))
    assert refusal.reason == "no_credentials"


@pytest.mark.parametrize("name", ["x_forwarded_for", "forwarded"])
def test_a_peer_that_the_request_names_itself_is_not_believed(name: str) -> None:
    value = "10.0.0.7" if name == "x_forwarded_for" else "for=10.0.0.7"
    refusal = refusal_of(places(PROXIED), request(x_forwarded_access_token=TOKEN, **{name: value}))
    assert refusal.reason == "no_credentials"


@pytest.mark.parametrize("source", [COOKIE, PROXIED])
def test_header_fields_alone_do_not_say_enough_of_a_request(source: Any) -> None:
    field = (b"cookie", f"access_token={TOKEN}".encode())
    if source is PROXIED:
        field = (PROXIED.name.encode(), TOKEN.encode())
    refusal = refusal_of(places(source), BareHeaders([field]))
    assert (type(refusal), refusal.reason) == (InvalidRequest, "request_unknown")
    assert places(IAP).found(BareHeaders([(IAP.name.encode(), TOKEN.encode())]))[0] == TOKEN.encode()


# -- other sites -----------------------------------------------------------------------------------------


class View(Request):
    """What a door sees: a request that does not say under which address the client reached it."""

    def __init__(self, method: str, **fields: str) -> None:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        super().__init__(method, "", {"cookie": f"access_token={TOKEN}", **headers})
        self.url = None


SAME = "same-origin"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_request_that_changes_nothing_needs_no_sign_of_the_same_origin(method: str) -> None:
    assert places(COOKIE).found(View(method))[0] == TOKEN.encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"sec_fetch_site": SAME},
        {"origin": "https://api.example"},
        {"sec_fetch_site": SAME, "origin": "https://api.example"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "get"])
def test_an_unsafe_method_is_accepted_with_a_sign_of_the_same_origin(
    method: str, fields: dict[str, str]
) -> None:
    assert places(COOKIE).found(View(method, **fields))[0] == TOKEN.encode()


FOREIGN: list[dict[str, str]] = [
    {},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "none"},
    {"sec_fetch_site": ""},
    {"origin": "null"},
    {"origin": "https://evil.example"},
    {"origin": "https://api.example.evil.example"},
    {"origin": "http://api.example"},
    {"origin": "https://api.example:8443"},
    {"origin": "https://api.example/v1"},
    {"sec_fetch_site": SAME, "origin": "https://evil.example"},
    {"sec_fetch_site": "cross-site", "origin": "https://api.example"},
    {"referer": "https://api.example/v1"},
    {"host": "evil.example", "origin": "https://evil.example"},
]


@pytest.mark.parametrize("fields", FOREIGN, ids=repr)
def test_without_it_the_request_may_come_from_another_site(fields: dict[str, str]) -> None:
    refusal = refusal_of(places(COOKIE), View("POST", **fields))
    assert (type(refusal), refusal.status, refusal.code, refusal.reason) == (
        AccessDenied,
        403,
        None,
        "cross_site",
    )


@pytest.mark.parametrize("fields", FOREIGN, ids=repr)
def test_the_opening_of_a_websocket_is_judged_like_an_unsafe_method(fields: dict[str, str]) -> None:
    assert (
        refusal_of(places(COOKIE), View("GET", sec_websocket_version="13", **fields)).reason == "cross_site"
    )
    asked = View("GET", sec_websocket_version="13", origin="https://api.example")
    assert places(COOKIE).found(asked)[0] == TOKEN.encode()


def test_an_origin_is_compared_with_that_of_the_guard_where_it_has_a_resource_of_its_own() -> None:
    where, asked = places(COOKIE, resource=None), View("POST", origin="https://other.example")
    assert refusal_of(where, asked).reason == "cross_site"
    assert where.found(asked, "https://other.example/v2")[0] == TOKEN.encode()


@pytest.mark.parametrize("url", ["orders", "https://[", "https://user@api.example/", "https:///orders"])
def test_a_request_of_a_program_that_says_no_address_has_no_origin(url: str) -> None:
    for origin in ("", "https://", "https://api.example", "null"):
        asked = Request("POST", url, {"cookie": f"access_token={TOKEN}", "origin": origin})
        assert refusal_of(places(COOKIE, resource=None), asked).reason == "cross_site"


def test_a_request_of_a_program_says_its_own_origin() -> None:
    asked = request("POST", cookie=f"access_token={TOKEN}", origin="https://api.example")
    assert places(COOKIE, resource=None).found(asked)[0] == TOKEN.encode()


@pytest.mark.parametrize("fields", FOREIGN, ids=repr)
def test_a_token_in_a_header_needs_no_such_sign(fields: dict[str, str]) -> None:
    assert places(IAP).found(request("POST", x_goog_iap_jwt_assertion=TOKEN, **fields))[0] == TOKEN.encode()


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://API.example:443/v1", "https://api.example"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://localhost:80", "http://localhost"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("wss://api.example/socket", "https://api.example"),
    ],
)
def test_an_origin_is_written_as_a_browser_writes_it(address: str, origin: str) -> None:
    assert origin_of(address) == origin


def test_the_page_has_every_sentence_about_a_place() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (.+?) \| (\d+) \| `(\w+)` \|$", page, re.MULTILINE))
    gateway = Header("X-Gateway-Token")
    twice = {"cookie": f"access_token={TOKEN}; access_token={TOKEN}"}
    both = {"cookie": f"access_token={TOKEN}", "x_gateway_token": TOKEN}
    bare = BareHeaders([(b"cookie", b"access_token=" + TOKEN.encode())])
    refusals = [
        refusal_of(places(gateway), request()),
        refusal_of(places(COOKIE), request(**twice)),
        refusal_of(places(COOKIE, gateway), request(**both)),
        refusal_of(places(COOKIE), bare),
        refusal_of(places(COOKIE), View("POST")),
    ]
    assert documented == {(one.description, str(one.status), one.reason) for one in refusals}
