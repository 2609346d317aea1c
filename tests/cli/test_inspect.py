"""`bearerguard inspect`: who gets the page, what its answers carry, and what the command prints."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from bearerguard import Introspection, Provider, ResourceServer
from bearerguard.cli import main
from bearerguard.cli._inspect.meanings import CLAIMS
from bearerguard.cli._inspect.site import Site
from bearerguard.cli._inspect.style import STYLE
from bearerguard.cli._inspect.values import members_table, safe, tree
from bearerguard.cli.inspect import pages_of
from bearerguard.provider import Header
from bearerguard.rules import client, role, scope
from bearerguard.testing import Clock, Issuer
from tests.cli.terminal import Terminal

NOW = 1_700_000_000


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(audience="https://api.test", clock=Clock(NOW))


@pytest.fixture(scope="module")
def site(issuer: Issuer) -> Iterator[Site]:
    with Site(pages_of(issuer.resource_server(), "scope('a')")) as site:
        yield site


def asked(
    site: Site, method: str = "GET", path: str | None = None, body: str = "", **fields: str
) -> tuple[int, str, http.client.HTTPMessage]:
    address = urlsplit(site.url)
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=30)
    connection.putrequest(method, path or address.path, skip_host=True, skip_accept_encoding=True)
    sent = {"host": address.netloc, **fields}
    if body:
        sent = {"content_type": "application/x-www-form-urlencoded", "content_length": str(len(body)), **sent}
    for name, value in sent.items():
        for one in value.split("\n"):
            if one:
                connection.putheader(name.replace("_", "-"), one)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def form(**fields: str) -> str:
    return urlencode(fields)


# -- who gets it -------------------------------------------------------------------------------------


def test_its_owner_gets_the_page(site: Site) -> None:
    status, text, _ = asked(site)
    assert status == 200
    assert "To judge what you paste, the command asks:" in text
    assert "<li>https://issuer.test, for its keys</li>" in text
    assert 'value="scope(&#x27;a&#x27;)"' in text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/favicon.ico",
        "{path}/",
        "{path}?",
        "{path}x",
        "{short}",
        "http://127.0.0.1{path}",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_other_address_is_403(site: Site, path: str, method: str) -> None:
    own = urlsplit(site.url).path
    status, text, _ = asked(site, method, path.format(path=own, short=own[:-1]), body=form(text="x"))
    assert (status, text) == (403, "Nothing is here for you.")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost:{port}",
        "127.0.0.1",
        "evil.test:{port}",
        "127.0.0.1:{port}\n127.0.0.1:{port}",
        "127.0.0.1:1",
        "127.1:{port}",
    ],
)
def test_every_other_host_is_403(site: Site, host: str) -> None:
    """A name that was made to lead here (DNS rebinding) is sent as the host."""
    assert asked(site, host=host.format(port=urlsplit(site.url).port))[0] == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"origin": "null"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"origin": "null\nhttp://evil.test"}, 403),
    ],
)
def test_what_a_page_of_somebody_else_sends_is_403(site: Site, fields: dict[str, str], status: int) -> None:
    assert asked(site, "POST", body=form(text="x", rule=""), **fields)[0] == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PROPFIND"])
def test_every_other_method_is_403(site: Site, method: str) -> None:
    assert asked(site, method)[0] == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"content_type": "text/plain"}, 400),
        ({"content_type": "multipart/form-data; boundary=x"}, 400),
        ({"content_length": "x"}, 400),
        ({"content_length": "-1"}, 400),
        ({"content_length": "999999999"}, 413),
    ],
)
def test_what_is_not_the_form_is_refused(site: Site, fields: dict[str, str], status: int) -> None:
    assert asked(site, "POST", body=form(text="x"), **fields)[0] == status


def test_the_address_is_new_at_each_start_and_cannot_be_guessed(site: Site, issuer: Issuer) -> None:
    other = Site(lambda _: "")
    try:
        secrets = {urlsplit(one.url).path for one in (site, other)}
        assert len(secrets) == 2
        assert all(re.fullmatch(r"/[A-Za-z0-9_-]{43}", secret) for secret in secrets)
        assert all(urlsplit(one.url).hostname == "127.0.0.1" for one in (site, other))
    finally:
        other._server.server_close()


# -- what it carries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/"])
def test_each_answer_keeps_everything_here(site: Site, path: str | None) -> None:
    _, text, fields = asked(site, path=path)
    assert fields["Cache-Control"] == "no-store"
    assert fields["Referrer-Policy"] == "no-referrer"
    assert fields["X-Frame-Options"] == "DENY"
    policy = dict(part.strip().split(" ", 1) for part in fields["Content-Security-Policy"].split(";"))
    assert policy.pop("style-src").startswith("'sha256-")
    assert policy == {
        "default-src": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert "Set-Cookie" not in fields
    assert urlsplit(site.url).path not in text


def test_the_page_names_nothing_that_is_elsewhere(site: Site, issuer: Issuer) -> None:
    _, text, _ = asked(site, "POST", body=form(text=issuer.token(), rule="scope('a')"))
    assert re.findall(r"\b(?:src|href|style|on\w+)=", text) == []
    assert "@import" not in STYLE
    assert "url(" not in STYLE
    assert "<script" not in text


def test_nothing_of_it_is_logged(site: Site, issuer: Issuer, capfd: pytest.CaptureFixture[str]) -> None:
    asked(site, "POST", body=form(text=issuer.token(), rule=""))
    asked(site, path="/nothing")
    assert capfd.readouterr() == ("", "")


def test_a_defect_is_named_without_what_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(form: dict[str, str] | None) -> str:
        raise KeyError("what was sent")

    with Site(fail) as site, pytest.raises((http.client.HTTPException, OSError)):
        asked(site)
    assert capsys.readouterr().err == "The page could not be made: KeyError.\n"


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("x", "scope(", "This rule is not one: it cannot be read"),
        ("GET /orders HTTP/1.1\nno field", "", "This request is not one: line 2"),
        ("GET /orders HTTP/1.1", "", "This request is not one: its address is not known"),
        ("Bearer eyJ.eyJ.x", "", "Refused: malformed"),
        ("", "", "Refused: malformed"),
        ("x" * 20_000, "", "Refused: too_large"),
    ],
)
def test_what_cannot_be_judged_is_told(site: Site, text: str, rule: str, words: str) -> None:
    status, page, _ = asked(site, "POST", body=form(text=text, rule=rule))
    assert status == 200
    assert words in page


def test_an_opaque_token_is_sent_to_its_provider_and_the_page_says_so_before() -> None:
    with Issuer(audience="https://api.test").serve() as issuer:
        asks = Introspection(issuer.client_id, issuer.client_secret)
        server = ResourceServer(Provider(issuer.url, audience="https://api.test", introspection=asks))
        pages = pages_of(server, "")
        assert f"{issuer.url}, about a token that only it can read: it is sent the token" in pages(None)
        token = issuer.opaque_token("ada", "orders:read")
        page = pages({"text": token, "rule": ""})
        refused = pages({"text": token, "rule": "role('admin')"})
        unknown = pages({"text": "x" * 43, "rule": ""})
    assert "Accepted" in page
    for told in (page, refused):
        assert "<caption>Claims</caption>" in told, "what its provider says of it is verified"
        assert "<code>&quot;orders:read&quot;</code>" in told
        assert token not in told
    assert "Refused: inactive" in unknown
    assert "Nothing of it can be read." in unknown


def test_of_a_request_the_token_is_shown_from_where_its_provider_has_it_sent() -> None:
    issuer = Issuer(audience="https://api.test", clock=Clock(NOW))
    server = ResourceServer(issuer.provider(source=Header("x-token")), clock=issuer.clock)
    request = f"GET https://api.test/a HTTP/1.1\nX-Token: {issuer.token('ada')}"
    page = pages_of(server, "")({"text": request, "rule": ""})
    assert "Accepted" in page
    assert "<code>&quot;ada&quot;</code>" in page


# -- values ------------------------------------------------------------------------------------------


def test_a_date_is_told_with_its_distance_to_now() -> None:
    table = members_table("Claims", {"exp": NOW + 90, "iat": NOW - 7200, "level": NOW}, CLAIMS, NOW)
    assert "1700000090</code><br>2023-11-14 22:14:50 UTC, 90 s ahead" in table
    assert "2023-11-14 20:13:20 UTC, 2 h ago" in table
    assert "<code>1700000000</code><small>" in table


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<b>&", "&lt;b&gt;&amp;"),
        ("a\x1b[31m\u202eb\x00", "a\\x1b[31m\\u202eb\\x00"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln", "(a token)"),
    ],
)
def test_a_value_is_neither_markup_nor_invisible_nor_a_token(text: str, html: str) -> None:
    assert safe(text) == html


def test_a_long_value_is_cut() -> None:
    table = members_table("Claims", {"groups": ["g" * 100] * 100}, CLAIMS, NOW)
    assert "characters)" in table
    assert len(table) < 3000


def test_a_rule_s_verdict_is_a_list_of_lists(issuer: Issuer) -> None:
    token = issuer.resource_server().verify(issuer.token("ada", "a"))
    rule = scope("a") & (role("b") | client("c")) & scope("d")
    html = tree(str(rule.explain(token)))
    assert html.count("<ul>") == html.count("</ul>") == 3
    assert html.count("<li>") == html.count("</li>") == 6
    assert '<ul><li><b class="no">no</b> scope(' in html
    assert (
        "</b> client(&#x27;c&#x27;): the token&#x27;s client is &#x27;test-client&#x27;</li></ul></li><li>"
        in html
    )


# -- the command -------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_the_command_prints_the_address_and_serves_until_it_is_stopped(columns: int, colour: bool) -> None:
    command = ["inspect", "--issuer", "https://login.example", "--audience", "a"]
    terminal = Terminal(*command, columns=columns, colour=colour)
    terminal.wait_for("http://")
    terminal.type("\x03")
    assert terminal.finish() == 0
    assert re.search(r"http://127\.0\.0\.1:\d+/[A-Za-z0-9_-]{43}", terminal.text)
    assert "Stopped." in terminal.lines()
    assert max(len(line) for line in terminal.lines() if not line.startswith("http://")) <= columns


def test_a_mistake_in_the_call_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect"]) == 2
    assert "give --issuer and --audience, or --app" in capsys.readouterr().err
    assert main(["inspect", "--rule", "scope(", "--issuer", "https://a.test", "--audience", "a"]) == 2
    assert "--rule is 'scope('" in capsys.readouterr().err
