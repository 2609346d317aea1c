"""What somebody sees who opens /docs of the FastAPI example, logs in, and tries operations.

The API and the issuer are programs on loopback, the pages are FastAPI's own. Only the files of Swagger UI,
which FastAPI's page loads from a network of others, are handed to the browser from npm's package.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from bearerguard.testing import Issuer
from tests.examples.running import listening, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Request, Route

AUDIENCE = "https://orders.example"
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SWAGGER_UI = "/npm/swagger-ui-dist@5/"
FAVICON = "/img/favicon.png"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE).serve() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def docs(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log: Path = tmp_path_factory.mktemp("example") / "log"
    settings = {"ISSUER": issuer.url, "AUDIENCE": AUDIENCE, "DOCS_CLIENT_ID": "docs"}
    with listening() as at, running("fastapi_app:app", at, log, **settings) as url:
        issuer.register_client("docs", f"{url}/docs/oauth2-redirect")
        yield f"{url}/docs"


@contextmanager
def opened(browser: Browser, docs: str, swagger_ui: Path) -> Generator[Page]:
    """The documentation, open. Whatever it wants from elsewhere is none of our doing, and is not sent."""
    elsewhere: list[str] = []

    def fetch(route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.hostname == "127.0.0.1":
            route.continue_()
        elif url.path.startswith(SWAGGER_UI):
            route.fulfill(path=swagger_ui / url.path.removeprefix(SWAGGER_UI))
        else:
            elsewhere.append(url.path)
            route.abort()

    with browser.new_context(viewport={"width": 1100, "height": 860}) as context:
        context.route("**/*", fetch)
        page = context.new_page()
        page.goto(docs)
        yield page
        assert set(elsewhere) <= {FAVICON}


@pytest.fixture
def page(browser: Browser, docs: str, swagger_ui: Path) -> Iterator[Page]:
    with opened(browser, docs, swagger_ui) as page:
        yield page


def log_in(page: Page, persona: str) -> None:
    """Press Authorize, ask for all scopes, be somebody at the issuer, and close the dialog."""
    page.get_by_role("button", name="Authorize", exact=True).click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_text("select all", exact=True).click()
    page.screenshot(path=SCREENSHOTS / "dialog.png")
    with page.expect_popup() as popup:
        dialog.locator("button.authorize").click()
    login = popup.value
    login.get_by_role("button", name=persona).wait_for()
    login.screenshot(path=SCREENSHOTS / "login.png")
    login.get_by_role("button", name=persona).click()
    dialog.get_by_text("Logout", exact=True).wait_for()
    page.screenshot(path=SCREENSHOTS / "authorized.png")
    dialog.get_by_text("Close", exact=True).click()


def tried(page: Page, operation: str) -> Locator:
    """What came back of an operation that was tried out."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response")
    answer.wait_for()
    answer.scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / f"{operation.partition('-')[2]}.png")
    return answer


def test_somebody_logs_in_and_does_what_they_may_and_no_more(page: Page, issuer: Issuer) -> None:
    log_in(page, "Ben")

    listed = tried(page, "orders-list_orders_orders_get")
    assert listed.locator(".response-col_status").inner_text().startswith("200")
    assert '"by": "ben"' in listed.inner_text()

    refused = tried(page, "orders-place_order_orders_post")
    assert refused.locator(".response-col_status").inner_text().startswith("403")
    assert 'scope="orders:write"' in refused.inner_text()


def test_the_page_logs_in_as_rfc_7636_says(page: Page, issuer: Issuer) -> None:
    asked: list[dict[str, list[str]]] = []
    page.context.on(
        "request",
        lambda request: (
            asked.append(parse_qs(urlsplit(request.url).query))
            if request.url.startswith(issuer.authorization_endpoint) and request.method == "GET"
            else None
        ),
    )
    log_in(page, "Ada")
    [query] = asked
    assert query["client_id"] == ["docs"]
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["scope"] == ["orders:read orders:write"]
    assert query["state"]


def test_without_a_token_an_operation_is_refused(page: Page) -> None:
    refused = tried(page, "orders-list_orders_orders_get")
    assert refused.locator(".response-col_status").inner_text().startswith("401")
    assert 'Bearer realm="orders"' in refused.inner_text()


# -- several providers -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def partners() -> Iterator[Issuer]:
    with Issuer("https://partners.test", audience=AUDIENCE).serve() as issuer:
        yield issuer


@pytest.fixture
def page_of_two(
    browser: Browser, issuer: Issuer, partners: Issuer, swagger_ui: Path, tmp_path: Path
) -> Iterator[Page]:
    """The documentation of the same API for the tokens of two providers, each with a client of its own."""
    settings = {
        "ISSUER": issuer.url,
        "AUDIENCE": AUDIENCE,
        "DOCS_CLIENT_ID": "docs-of-staff",
        "PARTNERS_ISSUER": partners.url,
        "PARTNERS_DOCS_CLIENT_ID": "docs-of-partners",
    }
    with listening() as at, running("fastapi_app:app", at, tmp_path / "log", **settings) as url:
        issuer.register_client("docs-of-staff", f"{url}/docs/oauth2-redirect")
        partners.register_client("docs-of-partners", f"{url}/docs/oauth2-redirect")
        with opened(browser, f"{url}/docs", swagger_ui) as page:
            yield page


def test_somebody_logs_in_at_each_of_two_providers_as_the_client_of_that_one(
    page_of_two: Page, issuer: Issuer, partners: Issuer
) -> None:
    page = page_of_two
    asked: list[tuple[str, str]] = []

    def note(request: Request) -> None:
        at, _, query = request.url.partition("?")
        if at in (issuer.authorization_endpoint, partners.authorization_endpoint) and request.method == "GET":
            asked.append((at, parse_qs(query)["client_id"][0]))

    page.context.on("request", note)
    page.get_by_role("button", name="Authorize", exact=True).click()
    dialog = page.locator(".dialog-ux")
    page.screenshot(path=SCREENSHOTS / "dialog-of-two.png")
    for name, persona in (("staff", "Ben"), ("partners", "Ada")):
        login = dialog.locator(".auth-container", has_text=f"{name} (OAuth2")
        login.get_by_text("select all", exact=True).click()
        with page.expect_popup() as popup:
            login.locator("button.authorize").click()
        popup.value.get_by_role("button", name=persona).click()
        login.get_by_text("Logout", exact=True).wait_for()
        page.screenshot(path=SCREENSHOTS / f"authorized-at-{name}.png")
        if name == "staff":  # the page sends one token, so each is tried without the other
            login.get_by_text("Close", exact=True).click()
            answer = tried(page, "orders-list_orders_orders_get")
            assert '"by": "ben"' in answer.inner_text()
            page.get_by_role("button", name="Authorize", exact=True).click()
            login.get_by_text("Logout", exact=True).click()
        else:
            login.get_by_text("Close", exact=True).click()
            page.get_by_role("button", name="Execute").click()
            page.locator(".live-responses-table").get_by_text('"by": "ada"').wait_for()
    assert asked == [
        (issuer.authorization_endpoint, "docs-of-staff"),
        (partners.authorization_endpoint, "docs-of-partners"),
    ]


def test_an_operation_names_the_roles_and_the_login_that_it_needs(page: Page) -> None:
    block = page.locator("#operations-orders-cancel_order_orders__number__delete")
    block.locator(".opblock-summary-control").click()
    needs = block.locator(".opblock-description").inner_text()
    assert "Needs the scope orders:write and the role admin and a login at most 300 seconds ago." in needs
    page.screenshot(path=SCREENSHOTS / "needs.png", full_page=True)
