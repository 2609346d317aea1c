"""What somebody sees who pastes a token into the page of `bearerguard inspect`, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from bearerguard import DPoP, ResourceServer
from bearerguard.cli._inspect.site import Site
from bearerguard.cli.inspect import pages_of
from bearerguard.testing import Issuer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

AUDIENCE = "https://api.example"
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
RULE = "scope('orders:write') & (role('admin') | client('nightly'))"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE).serve() as served:
        yield served


@pytest.fixture
def site(issuer: Issuer) -> Iterator[Site]:
    server = ResourceServer(issuer.provider(), dpop=DPoP(), clock=issuer.clock)
    with Site(pages_of(server, "")) as site:
        yield site


def opened(
    browser: Browser,
    site: Site,
    *,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
    script: bool = True,
) -> Iterator[Page]:
    """The page; whatever it asks for is its own address, or fails the test."""
    elsewhere: list[str] = []

    def noted(request: Request) -> None:
        if request.url != site.url and not request.url.endswith("/favicon.ico"):
            elsewhere.append(request.url)

    with browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=script
    ) as context:
        page = context.new_page()
        page.on("request", noted)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.goto(site.url)
        yield page
        assert elsewhere == []
        assert [problem for problem in problems if "favicon" not in problem and "403" not in problem] == []


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")], ids=str)
def page(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    yield from opened(browser, site, width=width, scheme=scheme)


def paste(page: Page, text: str, rule: str = "") -> None:
    page.get_by_label("A token, or a whole request").fill(text)
    page.get_by_label("A rule, if you like").fill(rule)
    page.get_by_role("button", name="Inspect").click()
    page.locator(".verdict").wait_for()


def kept(page: Page, name: str) -> None:
    """Keep what is seen, and see that nothing of it is cut off at the side."""
    size = page.viewport_size
    assert size is not None
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    page.screenshot(path=SCREENSHOTS / f"inspect-{name}-{size['width']}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_a_token_that_is_refused_by_a_rule(page: Page, issuer: Issuer) -> None:
    assert f"{issuer.url}, for its keys" in page.locator("main").inner_text()
    kept(page, "first")
    token = issuer.token("ada", "orders:read", roles=["admin"], very_long="x" * 300)
    paste(page, token, RULE)
    kept(page, "rule")
    assert page.locator(".verdict").inner_text().startswith("Refused: scope")
    [failing] = page.locator("details[open]").all()
    assert "scope('orders:write')" in failing.inner_text()
    leaves = [leaf.inner_text() for leaf in failing.locator("li li").all()]
    assert leaves[0] == "no scope('orders:write'): the token has the scopes orders:read"
    assert any(leaf.startswith("yes role('admin')") for leaf in leaves)
    claims = page.locator("table", has_text="Claims").inner_text()
    assert "as claimed" not in claims
    assert "from when on it is refused" in claims
    assert " UTC, 59 min" in claims or " UTC, 60 min" in claims
    assert page.get_by_label("A rule, if you like").input_value() == RULE
    assert page.get_by_label("A token, or a whole request").input_value() == ""
    assert token not in page.content()
    assert token.rpartition(".")[2] not in page.content()


def test_a_request_with_a_proof_for_another_address(page: Page, issuer: Issuer) -> None:
    fields = issuer.client("ada", dpop=True).headers("GET", "https://api.example/v1/orders")
    lines = [f"{name}: {value}" for name, value in fields.items()]
    paste(page, "\n".join(["GET https://api.example/orders HTTP/1.1", *lines]))
    kept(page, "proof")
    assert "Refused: proof_url" in page.locator(".verdict").inner_text()
    assert "a proxy takes the prefix '/v1' away" in page.locator(".verdict").inner_text()
    proof = page.locator("table", has_text="Claims of the proof, as the client says").inner_text()
    assert "https://api.example/v1/orders" in proof


def test_a_forged_token_is_marked_as_claimed_and_writes_no_markup(page: Page, issuer: Issuer) -> None:
    forged = issuer.forged(
        "<script>alert(1)</script>", "a\u202eb", **{"<b>x</b>": "<img src=x onerror=alert(1)>"}
    )
    paste(page, forged)
    kept(page, "forged")
    assert "Refused: signature" in page.locator(".verdict").inner_text()
    claims = page.locator("table", has_text="Claims, as claimed: its signature was not verified")
    assert "<script>alert(1)</script>" in claims.inner_text()
    assert "\\u202e" in claims.inner_text()
    assert page.locator("script, img").count() == 0


def test_the_result_needs_no_script(browser: Browser, site: Site, issuer: Issuer) -> None:
    for page in opened(browser, site, script=False):
        paste(page, issuer.token("ada"))
        assert page.locator(".verdict").inner_text().startswith("Accepted")
        assert page.locator("details[open]").count() == 0


def test_a_page_of_somebody_else_can_neither_frame_nor_send(
    browser: Browser, site: Site, issuer: Issuer
) -> None:
    """Even one that knows the address: the browser says where a request comes from."""
    stranger = (
        f"<iframe src='{site.url}'></iframe><form method=post action='{site.url}'><textarea name=text>x"
    )
    with browser.new_context() as context:
        page = context.new_page()
        page.route(
            "http://stranger.test/", lambda route: route.fulfill(body=stranger, content_type="text/html")
        )
        page.goto("http://stranger.test/")
        assert page.frames[-1].url != site.url or "Inspect" not in page.frames[-1].content()
        with page.expect_navigation():
            page.evaluate("document.forms[0].submit()")
        assert "Nothing is here for you." in page.content()


def test_a_rule_that_is_not_one_is_told(browser: Browser, site: Site) -> None:
    for page in opened(browser, site):
        paste(page, "x", "scope('a') and role('b')")
        assert "combined with &, | and ~" in page.locator(".verdict").inner_text()
