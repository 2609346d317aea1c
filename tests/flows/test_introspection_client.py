"""How a provider is asked about one token: what is sent, which answers are believed, what is tried again."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest

from bearerguard import Introspection, Provider, RemoteKeys
from bearerguard._flows.effects import (
    Answered,
    CallSource,
    FetchFailed,
    HttpAnswer,
    HttpPost,
    QuestionFailed,
    WaitForKeys,
    WantMetadata,
)
from bearerguard._flows.introspection_client import IntrospectionClient
from bearerguard.testing import Issuer, signing_key
from bearerguard.testing.signing_keys import compact
from tests.flows.pipeline import ISSUER, JWKS, NOW, StubSource

URL = "https://login.example/introspect"
TOKEN = b"opaque~token+with/all=="
ACTIVE = b'{"active": true, "sub": "ada"}'
SIGNED = "application/token-introspection+jwt"
Reaction = HttpAnswer | Exception | Callable[[HttpPost], HttpAnswer]


def answered(
    body: bytes = ACTIVE, status: int = 200, content_type: str | None = "application/json"
) -> HttpAnswer:
    return HttpAnswer(status, body, content_type=content_type)


class Endpoint:
    """What a client is answered, one reaction after the other; the last goes on."""

    def __init__(self, *reactions: Reaction, metadata: Mapping[str, Any] | None = None) -> None:
        self.reactions = list(reactions) or [answered()]
        self.metadata = metadata
        self.posts: list[HttpPost] = []
        self.keys = StubSource(JWKS)
        self.waits: list[str] = []
        self.now = NOW

    def client(self, introspection: Introspection, **options: Any) -> IntrospectionClient:
        settings: dict[str, Any] = {"audience": "https://api.example", **options}
        provider = Provider(settings.pop("issuer", ISSUER.url), introspection=introspection, **settings)
        numbers = iter(range(100))
        return IntrospectionClient(provider, self.keys, lambda: self.now, lambda: f"id-{next(numbers)}")

    def ask(self, client: IntrospectionClient) -> Answered:
        """What the client makes of it."""
        flow = client.ask(TOKEN)
        try:
            effect = next(flow)
            while True:
                try:
                    outcome = self.carry_out(effect)
                except FetchFailed as failure:
                    effect = flow.throw(failure)
                else:
                    effect = flow.send(outcome)
        except StopIteration as stop:
            answer: Answered = stop.value
            return answer

    def carry_out(self, effect: Any) -> Any:
        match effect:
            case HttpPost():
                self.posts.append(effect)
                reaction = self.reactions.pop(0) if len(self.reactions) > 1 else self.reactions[0]
                if isinstance(reaction, Exception):
                    raise reaction
                return reaction if isinstance(reaction, HttpAnswer) else reaction(effect)
            case CallSource():
                return effect.function()
            case WantMetadata():
                if self.metadata is None:
                    raise FetchFailed("no_metadata", "there are none")
                return self.metadata
            case WaitForKeys():
                self.waits.append(effect.cause)
                return None
            case _:
                raise AssertionError(effect)

    def form(self, number: int = -1) -> dict[str, str]:
        """The members of a form that was sent, each of which stands there once."""
        members = parse_qs(self.posts[number].form.decode(), keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in members.values())
        return {name: values[0] for name, values in members.items()}


def basic(**options: Any) -> Introspection:
    return Introspection("orders-api", "secret", **{"url": URL, **options})


def asked(introspection: Introspection, **options: Any) -> Endpoint:
    endpoint = Endpoint()
    assert endpoint.ask(endpoint.client(introspection, **options)).claims == {"sub": "ada"}
    return endpoint


def failure(reaction: Reaction, introspection: Introspection | None = None) -> QuestionFailed:
    endpoint = Endpoint(reaction)
    with pytest.raises(QuestionFailed) as failed:
        endpoint.ask(endpoint.client(basic() if introspection is None else introspection))
    assert TOKEN.decode() not in str(failed.value)
    return failed.value


# -- the request -------------------------------------------------------------------------------------


def test_i1_the_token_is_sent_as_it_was_received_in_a_form_with_a_hint() -> None:
    endpoint = asked(basic())
    assert endpoint.form() == {"token": TOKEN.decode(), "token_type_hint": "access_token"}
    assert endpoint.posts[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert endpoint.posts[0].url == URL


def test_i5_plain_json_is_asked_for_and_a_signed_answer_alone_where_it_is_wanted() -> None:
    assert asked(basic()).posts[0].headers["Accept"] == "application/json"
    endpoint = Endpoint(signed_answer())
    endpoint.ask(endpoint.client(basic(signed=True)))
    assert endpoint.posts[0].headers["Accept"] == SIGNED


def test_a7_nothing_that_is_sent_stands_in_a_repr() -> None:
    assert repr(asked(basic()).posts[0]) == f"HttpPost({URL!r})"


# -- where the endpoint is -----------------------------------------------------------------------------


def discovered(
    metadata: Mapping[str, Any], introspection: Introspection | None = None, **options: Any
) -> str:
    endpoint = Endpoint(metadata=metadata)
    endpoint.ask(endpoint.client(basic(url=None) if introspection is None else introspection, **options))
    return endpoint.posts[0].url


def with_certificate(**options: Any) -> Introspection:
    http_options = {"verify": ssl.create_default_context()}
    return Introspection("orders-api", method="tls_client_auth", http_options=http_options, **options)


def test_i7_the_endpoint_is_the_one_in_the_metadata() -> None:
    assert discovered({"introspection_endpoint": URL}) == URL


def test_i7_with_a_client_certificate_it_is_the_alias_for_mutual_tls_if_there_is_one() -> None:
    mtls = "https://mtls.login.example/introspect"
    metadata = {"introspection_endpoint": URL, "mtls_endpoint_aliases": {"introspection_endpoint": mtls}}
    assert discovered(metadata, with_certificate()) == mtls
    assert discovered(metadata) == URL
    for other in ({}, {"token_endpoint": mtls}, None, "text", [mtls]):
        assert discovered({**metadata, "mtls_endpoint_aliases": other}, with_certificate()) == URL


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({}, "no_introspection_endpoint"),
        ({"introspection_endpoint": None}, "no_introspection_endpoint"),
        ({"introspection_endpoint": [URL]}, "no_introspection_endpoint"),
        ({"introspection_endpoint": "http://login.example/introspect"}, "insecure_introspection_endpoint"),
        ({"introspection_endpoint": "http://127.0.0.1/introspect"}, "insecure_introspection_endpoint"),
        ({"introspection_endpoint": "ftp://login.example/"}, "insecure_introspection_endpoint"),
        ({"introspection_endpoint": "https://a:b@login.example/"}, "insecure_introspection_endpoint"),
    ],
)
def test_i7_an_address_that_may_not_be_asked_is_not(metadata: dict[str, Any], kind: str) -> None:
    endpoint = Endpoint(metadata=metadata)
    with pytest.raises(FetchFailed) as failed:
        endpoint.ask(endpoint.client(basic(url=None), issuer="https://login.example"))
    assert failed.value.kind == kind
    assert endpoint.posts == []


def test_i7_an_issuer_on_loopback_may_name_an_endpoint_there_and_so_may_configuration() -> None:
    there = "http://127.0.0.1:8080/introspect"
    assert discovered({"introspection_endpoint": there}, issuer="http://127.0.0.1:8080") == there
    assert asked(basic(url=there), issuer="https://login.example").posts[0].url == there


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_i7_where_keys_may_come_over_plain_http_so_may_the_address() -> None:
    there = "http://login/introspect"
    keys = RemoteKeys(dangerously_allow_http=True)
    assert discovered({"introspection_endpoint": there}, issuer="http://login", keys=keys) == there


def test_without_metadata_there_is_nobody_to_ask() -> None:
    endpoint = Endpoint()
    with pytest.raises(FetchFailed) as failed:
        endpoint.ask(endpoint.client(basic(url=None)))
    assert failed.value.kind == "no_metadata"


# -- who asks --------------------------------------------------------------------------------------------


def test_a1_basic_form_encodes_id_and_secret_and_sends_nothing_of_them_in_the_form() -> None:
    endpoint = asked(Introspection("1PpG/Q 1", "z/t:=", url=URL))
    text = base64.b64decode(endpoint.posts[0].headers["Authorization"].removeprefix("Basic "))
    assert text == b"1PpG%2FQ+1:z%2Ft%3A%3D"
    assert endpoint.form().keys() == {"token", "token_type_hint"}
    raw = asked(Introspection("a/b", "c d", url=URL, form_encoded=False))
    assert base64.b64decode(raw.posts[0].headers["Authorization"].removeprefix("Basic ")) == b"a/b:c d"


def test_a2_post_sends_both_in_the_form_and_no_header() -> None:
    endpoint = asked(Introspection("orders api", "s&cret=", url=URL, method="client_secret_post"))
    assert (endpoint.form()["client_id"], endpoint.form()["client_secret"]) == ("orders api", "s&cret=")
    assert "Authorization" not in endpoint.posts[0].headers


KEY = signing_key("P-256")


def by_assertion() -> Introspection:
    private: Any = KEY.private
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Introspection("orders-api", method="private_key_jwt", key=pem, url=URL)


def claims_of(assertion: str) -> dict[str, Any]:
    private: Any = KEY.private
    verified: dict[str, Any] = jwt.api_jwt.decode(
        assertion,
        private.public_key(),
        algorithms=["ES256"],
        audience=ISSUER.url,
        options={"verify_exp": False, "verify_iat": False},
    )
    return verified


def test_a3_an_assertion_is_to_the_issuer_by_the_clock_of_the_server() -> None:
    endpoint = asked(by_assertion())
    form = endpoint.form()
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["client_id"] == "orders-api"
    assert claims_of(form["client_assertion"]) == {
        "iss": "orders-api",
        "sub": "orders-api",
        "aud": ISSUER.url,
        "iat": NOW,
        "exp": NOW + 60,
        "jti": "id-0",
    }
    assert "Authorization" not in endpoint.posts[0].headers


def test_a3_each_question_and_each_attempt_has_an_assertion_of_its_own() -> None:
    endpoint = Endpoint(FetchFailed("reset", "it was"), answered())
    client = endpoint.client(by_assertion())
    endpoint.ask(client)
    endpoint.ask(client)
    assert [claims_of(endpoint.form(number)["client_assertion"])["jti"] for number in range(3)] == [
        "id-0",
        "id-1",
        "id-2",
    ]


def test_a4_with_a_client_certificate_the_form_names_the_client() -> None:
    endpoint = asked(with_certificate(url=URL))
    assert endpoint.form() == {
        "token": TOKEN.decode(),
        "token_type_hint": "access_token",
        "client_id": "orders-api",
    }
    assert "Authorization" not in endpoint.posts[0].headers


def test_i2_and_a5_a_token_of_our_own_is_sent_and_never_the_one_that_is_asked_about() -> None:
    endpoint = asked(Introspection("orders-api", method="bearer", token="our.own", url=URL))
    assert endpoint.posts[0].headers["Authorization"] == "Bearer our.own"
    assert endpoint.form().keys() == {"token", "token_type_hint"}


def renewing(*tokens: Any) -> Introspection:
    left = list(tokens)
    return Introspection("orders-api", method="bearer", token=lambda: left.pop(0), url=URL)


def credentials(endpoint: Endpoint) -> list[str]:
    return [post.headers["Authorization"].removeprefix("Bearer ") for post in endpoint.posts]


def test_a5_a_function_is_asked_for_a_token_once_and_again_after_a_401() -> None:
    endpoint = Endpoint(answered(), answered(), answered(b"{}", 401), answered())
    client = endpoint.client(renewing("first", "second"))
    for _ in range(3):
        assert endpoint.ask(client).claims == {"sub": "ada"}
    assert credentials(endpoint) == ["first", "first", "first", "second"]


def test_a5_a_second_401_is_the_answer() -> None:
    endpoint = Endpoint(answered(b"{}", 401))
    client = endpoint.client(renewing("first", "second", "third"))
    with pytest.raises(QuestionFailed) as failed:
        endpoint.ask(client)
    assert failed.value.is_ours
    assert credentials(endpoint) == ["first", "second"]


def test_a5_a_token_that_another_question_has_renewed_is_not_renewed_again() -> None:
    endpoint = Endpoint(answered(b"{}", 401))
    client = endpoint.client(renewing("first", "second"))
    late = client.ask(TOKEN)
    call = next(late)
    assert isinstance(call, CallSource)
    late.send(call.function())
    client._own_token = "second"  # as another thread would have it
    late_post = late.send(answered(b"{}", 401))
    assert isinstance(late_post, HttpPost)
    assert late_post.headers["Authorization"] == "Bearer second"


def test_a5_a_text_is_not_renewed() -> None:
    endpoint = Endpoint(answered(b"{}", 401))
    client = endpoint.client(Introspection("orders-api", method="bearer", token="our.own", url=URL))
    with pytest.raises(QuestionFailed):
        endpoint.ask(client)
    assert len(endpoint.posts) == 1


@pytest.mark.parametrize("token", [None, "", 7, b"bytes", "a b", "a\r\nX-Evil: 1", "tok\u00e9n"])
def test_a5_what_is_not_a_token_is_not_sent_and_not_shown(token: Any) -> None:
    endpoint = Endpoint()
    with pytest.raises(QuestionFailed) as failed:
        endpoint.ask(endpoint.client(renewing(token)))
    assert (failed.value.kind, str(failed.value)) == (
        "token",
        "token= did not return the text of an access token",
    )
    assert endpoint.posts == []


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_a6_without_authentication_the_form_names_the_client() -> None:
    endpoint = asked(Introspection("orders-api", method="none", url=URL, dangerously_unauthenticated=True))
    assert endpoint.form()["client_id"] == "orders-api"
    assert "Authorization" not in endpoint.posts[0].headers


# -- what is tried again -----------------------------------------------------------------------------------


def test_a_connection_that_was_reset_before_anything_came_of_it_is_tried_once_more() -> None:
    endpoint = Endpoint(FetchFailed("reset", "it was"), answered())
    assert endpoint.ask(endpoint.client(basic())).claims == {"sub": "ada"}
    assert len(endpoint.posts) == 2
    endpoint = Endpoint(FetchFailed("reset", "it was"))
    with pytest.raises(FetchFailed):
        endpoint.ask(endpoint.client(basic()))
    assert len(endpoint.posts) == 2


@pytest.mark.parametrize("kind", ["timeout", "connection", "too_large", "encoding", "client"])
def test_no_other_trouble_is_tried_again(kind: str) -> None:
    endpoint = Endpoint(FetchFailed(kind, "it was"), answered())
    with pytest.raises(FetchFailed) as failed:
        endpoint.ask(endpoint.client(basic()))
    assert failed.value.kind == kind
    assert len(endpoint.posts) == 1


# -- answers -----------------------------------------------------------------------------------------------


def test_p1_a_token_that_is_not_active_has_no_claims() -> None:
    endpoint = Endpoint(answered(b'{"active": false, "sub": "ada"}'))
    assert endpoint.ask(endpoint.client(basic())) == Answered(None)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x"],
)
def test_p3_the_content_type_is_json_in_any_case_with_any_parameters(content_type: str) -> None:
    endpoint = Endpoint(answered(content_type=content_type))
    assert endpoint.ask(endpoint.client(basic())).claims == {"sub": "ada"}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/html",
        "text/plain",
        "application/jwt",
        "application/jsonp",
        "application/problem+json",
        SIGNED,
    ],
)
def test_p3_an_answer_of_another_content_type_is_trouble(content_type: str | None) -> None:
    failed = failure(answered(content_type=content_type))
    assert (failed.kind, failed.is_ours) == ("content_type", False)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"active": "true"}', b'{"active": true, "exp": "1"}', b"<html>"]
)
def test_p2_p3_and_p6_a_malformed_answer_is_trouble(body: bytes) -> None:
    failed = failure(answered(body))
    assert (failed.kind, failed.is_ours) == ("malformed", False)


def test_the_audience_is_looked_for_where_the_provider_says() -> None:
    endpoint = Endpoint(answered(b'{"active": true, "aud": 7}'))
    assert endpoint.ask(endpoint.client(basic(), audience_claim="resource")).claims == {"aud": 7}
    for body, signed in (
        (answered(b'{"active": true, "resource": 7}'), False),
        (signed_answer(members={"active": True, "resource": 7}), True),
    ):
        refusing = Endpoint(body)
        with pytest.raises(QuestionFailed) as failed:
            refusing.ask(refusing.client(basic(signed=signed), audience_claim="resource"))
        assert failed.value.kind == "malformed"


def test_p22_a_token_of_an_unsupported_type_is_not_one_of_theirs() -> None:
    endpoint = Endpoint(answered(b'{"error": "unsupported_token_type"}', 400))
    assert endpoint.ask(endpoint.client(basic())) == Answered(None)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 415])
@pytest.mark.parametrize("body", [b'{"error": "invalid_client"}', b"<html>", b"", b'{"error": 7}', b"[]"])
def test_p23_what_a_server_says_to_a_client_that_it_does_not_take_is_our_configuration(
    status: int, body: bytes
) -> None:
    failed = failure(answered(body, status))
    assert (failed.kind, failed.is_ours, failed.retry_after) == ("refused", True, None)
    assert f"HTTP {status}" in str(failed)
    assert ("'invalid_client'" in str(failed)) == (b"invalid_client" in body)


def test_p23_the_servers_code_is_told_escaped_and_cut_and_its_description_is_not() -> None:
    error = {"error": "a\nb\u2028" + "x" * 100, "error_description": "secret"}
    said = str(failure(answered(json.dumps(error).encode(), 401)))
    assert r"'a\nb\u2028" in said
    assert "\n" not in said
    assert "x" * 60 not in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("status", "kind"),
    [(201, "http_status"), (204, "http_status"), (301, "redirect"), (302, "redirect"), (307, "redirect")]
    + [(status, "http_status") for status in (402, 406, 410, 422, 429, 500, 502, 503, 504)],
)
def test_p24_any_other_status_is_trouble_at_the_provider(status: int, kind: str) -> None:
    failed = failure(answered(status=status))
    assert (failed.kind, failed.is_ours) == (kind, False)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("1", 1.0),
        (" 30 ", 30.0),
        ("60", 60.0),
        ("0", None),
        ("61", None),
        ("-5", None),
        ("1.5", None),
        ("1000000", None),
        ("soon", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("\u0663", None),
        ("", None),
        (None, None),
    ],
)
def test_p24_when_to_come_back_is_taken_from_the_provider_within_a_minute(
    field: str | None, seconds: float | None
) -> None:
    assert failure(HttpAnswer(503, b"", retry_after=field)).retry_after == seconds


# -- signed answers ------------------------------------------------------------------------------------------


def signed_text(
    *,
    key: Any = None,
    typ: Any = "token-introspection+jwt",
    members: Any = None,
    header: Any = None,
    **claims: Any,
) -> bytes:
    """A signed answer of the issuer, but for what is said otherwise."""
    key = ISSUER.signing_key if key is None else key
    said = {"active": True, "sub": "ada"} if members is None else members
    payload = {"iss": ISSUER.url, "aud": "orders-api", "iat": NOW, "token_introspection": said, **claims}
    fields = {"alg": "ES256", "kid": key.kid, "typ": typ, **(header or {})}
    shown = {name: value for name, value in fields.items() if value is not None}
    return compact(
        shown, {name: value for name, value in payload.items() if value is not ...}, key, "ES256"
    ).encode()


def signed_answer(content_type: str = SIGNED, **parts: Any) -> HttpAnswer:
    return answered(signed_text(**parts), content_type=content_type)


def believed(answer: HttpAnswer, **options: Any) -> Answered:
    endpoint = Endpoint(answer)
    return endpoint.ask(endpoint.client(basic(signed=True), **options))


@pytest.mark.parametrize("content_type", [SIGNED, SIGNED.upper(), SIGNED + "; charset=utf-8"])
def test_j1_a_signed_answer_is_known_by_its_content_type(content_type: str) -> None:
    assert believed(signed_answer(content_type)).claims == {"sub": "ada"}


@pytest.mark.parametrize("body", [ACTIVE, b'{"active": false}'])
def test_p23_a_plain_answer_where_a_signed_one_was_asked_for_is_our_configuration(body: bytes) -> None:
    failed = failure(answered(body), basic(signed=True))
    assert (failed.kind, failed.is_ours) == ("content_type", True)


@pytest.mark.parametrize("content_type", ["application/jwt", "text/html", None])
def test_j9_a_jwt_of_another_content_type_is_not_a_signed_answer(content_type: str | None) -> None:
    failed = failure(answered(signed_text(), content_type=content_type), basic(signed=True))
    assert (failed.kind, failed.is_ours) == ("content_type", False)


@pytest.mark.parametrize("typ", ["token-introspection+jwt", "application/token-introspection+jwt"])
def test_j2_its_type_says_what_it_is(typ: str) -> None:
    assert believed(signed_answer(typ=typ)).claims == {"sub": "ada"}


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({"typ": None}, "type"),
        ({"typ": "JWT"}, "type"),
        ({"typ": "at+jwt"}, "type"),
        ({"header": {"alg": "none"}}, "algorithm"),
        ({"header": {"alg": "HS256"}}, "algorithm"),
        ({"header": {"crit": ["exp"]}}, "critical"),
        ({"header": {"alg": 7}}, "malformed"),
        ({"key": signing_key("P-256")}, "unknown_key"),
        ({"key": signing_key("P-256"), "header": {"kid": ISSUER.signing_key.kid}}, "signature"),
        ({"iss": "https://other.example"}, "issuer"),
        ({"iss": ...}, "issuer"),
        ({"iss": ISSUER.url + "/"}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": "https://api.example"}, "audience"),
        ({"aud": ...}, "audience"),
        ({"iat": ...}, "missing_claim"),
        ({"iat": NOW - 301}, "expired"),
        ({"iat": NOW + 11}, "not_yet_valid"),
        ({"token_introspection": ...}, "malformed"),
        ({"token_introspection": True}, "malformed"),
        ({"members": []}, "malformed"),
        ({"members": {"active": "true"}}, "malformed"),
        ({"members": {"active": True, "exp": "1"}}, "malformed"),
    ],
)
def test_j2_j3_and_j4_any_other_signed_answer_is_trouble(parts: dict[str, Any], kind: str) -> None:
    failed = failure(signed_answer(**parts), basic(signed=True))
    assert (failed.kind, failed.is_ours) == (kind, False)


def test_j2_an_unknown_key_waits_for_one_refresh() -> None:
    other = Issuer(algorithm="ES256")
    endpoint = Endpoint(signed_answer(key=other.signing_key))
    client = endpoint.client(basic(signed=True))
    flow = client.ask(TOKEN)
    next(flow)
    wait = flow.send(signed_answer(key=other.signing_key))
    assert isinstance(wait, WaitForKeys)
    assert wait.cause == "unknown_kid"
    endpoint.keys.publish(other.jwks())
    with pytest.raises(StopIteration) as stop:
        flow.send(None)
    assert stop.value.value.claims == {"sub": "ada"}


def test_j2_keys_that_cannot_be_had_are_trouble() -> None:
    endpoint = Endpoint(signed_answer())
    endpoint.keys.key_set = None
    with pytest.raises(QuestionFailed) as failed:
        endpoint.ask(endpoint.client(basic(signed=True)))
    assert failed.value.kind == "provider_unavailable"
    assert endpoint.waits == ["missing"]


def test_j3_an_answer_to_several_is_to_us_too() -> None:
    assert believed(signed_answer(aud=["other", "orders-api"])).claims == {"sub": "ada"}


def test_j4_claims_beside_the_answer_are_ignored() -> None:
    assert believed(signed_answer(sub="eve", exp=1, active=False)).claims == {"sub": "ada"}
    # It is not a token, so what would say of one that it is an ID token or an event says nothing here.
    assert believed(signed_answer(nonce="n", at_hash="h", events={})).claims == {"sub": "ada"}


def test_j5_a_signed_answer_about_a_token_that_is_not_active() -> None:
    assert believed(signed_answer(members={"active": False, "sub": 7})) == Answered(None)


def test_j6_an_encrypted_answer_is_refused() -> None:
    assert failure(answered(b"a.b.c.d.e", content_type=SIGNED), basic(signed=True)).kind == "encrypted"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"opaque",
        b"a.b",
        ACTIVE,
        b"\xff.\xff.\xff",
        signed_text() + b"!",
        signed_text().replace(b".", b".!", 1),
        b"W10." + signed_text().partition(b".")[2],
    ],
)
def test_what_is_not_a_signed_answer_is_trouble(body: bytes) -> None:
    assert failure(answered(body, content_type=SIGNED), basic(signed=True)).kind == "malformed"


def test_a_signed_answer_that_names_a_member_twice_is_malformed() -> None:
    payload = (
        f'{{"iss": "{ISSUER.url}", "aud": "orders-api", "iat": {NOW}, "token_introspection": '
        '{"active": false, "active": true}}'
    ).encode()
    header = {"alg": "ES256", "kid": ISSUER.signing_key.kid, "typ": "token-introspection+jwt"}
    body = compact(header, payload, ISSUER.signing_key, "ES256").encode()
    assert failure(answered(body, content_type=SIGNED), basic(signed=True)).kind == "malformed"


def test_white_space_around_a_signed_answer_is_no_part_of_it() -> None:
    assert believed(answered(signed_text() + b"\r\n", content_type=SIGNED)).claims == {"sub": "ada"}


# -- what operators are told -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reaction", "said"),
    [
        (
            answered(b"a.b.c.d.e", content_type=SIGNED),
            "The signed answer is encrypted (JWE), which is not supported.",
        ),
        (answered(signed_text() + b"!", content_type=SIGNED), f"{URL}: the signed answer is not base64url"),
        (signed_answer(iss="https://other.example"), "the signed answer is another issuer's"),
        (signed_answer(typ="JWT"), "the signed answer is refused (type)"),
        (signed_answer(iat=NOW - 301), "the signed answer is refused (expired): it is older than 300 s"),
        (
            signed_answer(aud="other"),
            "the signed answer is refused (audience): it is meant for another client",
        ),
        (signed_answer(token_introspection=...), f"{URL}: the signed answer has no token_introspection"),
        (answered(status=300), f"{URL} answered HTTP 300"),
        (answered(status=404, body=b""), f"{URL} answered HTTP 404"),
        (answered(status=401, body=b'{"error": "' + b"x" * 70 + b'"}'), f"with the error '{'x' * 60}'"),
    ],
)
def test_what_operators_are_told_of_an_answer(reaction: HttpAnswer, said: str) -> None:
    signed = reaction.content_type == SIGNED
    assert str(failure(reaction, basic(signed=signed))).endswith(said)


def test_a_signed_answer_is_verified_once_its_keys_have_come() -> None:
    endpoint = Endpoint(signed_answer())
    endpoint.keys.key_set = None
    flow = endpoint.client(basic(signed=True)).ask(TOKEN)
    next(flow)
    flow.send(signed_answer(iat=NOW - 301))
    endpoint.keys.publish(JWKS)
    with pytest.raises(QuestionFailed) as failed:
        flow.send(None)
    assert failed.value.kind == "expired"
