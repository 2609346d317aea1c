"""What somebody sees who reads the documentation's site, on a desk and on a telephone, in light and in dark.

`make docs` builds the site; nothing here is fetched from anywhere. A site that is older than its pages is not
looked at: it would say nothing about them.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.browser.conftest import lacking

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
DOCS, SITE = ROOT / "docs", ROOT / "build" / "site"
VIEWS: dict[str, tuple[int, Literal["light", "dark"]]] = {
    "on a desk, light": (1280, "light"),
    "on a telephone, dark": (375, "dark"),
}
PAGES = sorted(str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md"))

CUT = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX)
    && (width < 1000 || box.closest("pre"));
  const inBox = (element) => {
    for (let box = element.parentElement; box.tagName !== "BODY"; box = box.parentElement)
      if (scrolls(box)) return true;
    return false;
  };
  const beyond = (box) => box.width && box.right > width + 1;
  return [...document.querySelectorAll("article *")]
    .filter((element) => beyond(element.getBoundingClientRect()) && !inBox(element))
    .map((element) => `${element.tagName} ${element.innerText ?? ""}`.slice(0, 80))
    .concat(document.documentElement.scrollWidth > innerWidth ? ["the page itself"] : []);
}"""
"""What reaches beyond the right edge, and is in no box that scrolls by itself: on a telephone a table may."""

PICTURES = "[...document.images].filter((one) => !one.naturalWidth || !one.alt).map((one) => one.src)"
"""Pictures that cannot be loaded, or that say nothing to somebody who does not see them."""

FAINT = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let box = element; box; box = box.parentElement) {
      const colour = getComputedStyle(box).backgroundColor;
      if (!/, 0\\)$/.test(colour) && !/, 0\\.\\d+\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("article :is(p, li, td, th, h1, h2, h3, a)")]
    .filter((element) => element.innerText?.trim() && !element.classList.contains("headerlink"))
    .map((element) => {
      const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
      return [(pair[0] + 0.05) / (pair[1] + 0.05), element.innerText.slice(0, 60)];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""
"""Text whose contrast to what is behind it is below what WCAG 2.2, 1.4.3, asks for."""


@pytest.fixture(scope="module")
def site() -> Path:
    stale = [
        page
        for page in PAGES
        if not (built := SITE / f"{page}.html").is_file()
        or built.stat().st_mtime < (DOCS / f"{page}.md").stat().st_mtime
    ]
    if stale:
        lacking(f"the site lacks, or is older than, {len(stale)} pages such as {stale[0]}: run make docs")
    return SITE


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("reference/")])
def test_the_reference_shows_no_inner_names(site: Path, name: str) -> None:
    """Neither what begins with an underscore, nor how a set is made to stay as it is."""
    _, _, article = (site / f"{name}.html").read_text("utf-8").partition("<article")
    said = html.unescape(re.sub(r"<[^>]+>", "", article.partition("</article>")[0]))
    assert re.findall(r".*(?:\bfrozenset\b|\b_[a-zA-Z]\w*\b| object at 0x).*", said) == []


@pytest.fixture(scope="module", params=VIEWS)
def seen(request: pytest.FixtureRequest, site: Path, browser: Browser) -> dict[str, Any]:
    """What there is to say against each page, in one view; every page is opened once."""
    width, scheme = VIEWS[request.param]
    found: dict[str, Any] = {"cut": {}, "pictures": {}, "faint": {}}
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        for name in PAGES:
            page.goto((site / f"{name}.html").as_uri())
            for what, script in (("cut", CUT), ("pictures", PICTURES), ("faint", FAINT)):
                if problems := page.evaluate(script):
                    found[what][name] = problems[:3]
        found["background"] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_no_page_is_cut_or_scrolls_sideways(seen: dict[str, Any]) -> None:
    assert seen["cut"] == {}


def test_every_picture_is_there_and_described(seen: dict[str, Any]) -> None:
    assert seen["pictures"] == {}


def test_every_text_stands_out_from_what_is_behind_it(seen: dict[str, Any]) -> None:
    assert seen["faint"] == {}


def test_the_site_is_light_and_dark_as_the_reader_is_used_to(seen: dict[str, Any], request: Any) -> None:
    bright = seen["background"] == "rgb(255, 255, 255)"
    assert bright == ("light" in request.node.callspec.id)
