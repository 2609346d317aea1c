"""The page of `inspect`, from values to HTML: no script, nothing from elsewhere, and no token in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from bearerguard.cli._inspect.meanings import CLAIMS, HEADER, PROOF
from bearerguard.cli._inspect.style import STYLE
from bearerguard.cli._inspect.values import members_table, safe, tree
from bearerguard.explain import Check, Explanation

__all__ = ["Inspected", "page"]


class Inspected(NamedTuple):
    """What is known of what was pasted.

    Attributes:
        said: the explanation.
        header: the members of the token's header, believed or not.
        claims: its claims, likewise; of an opaque token those that its provider says.
        proof_header: of the DPoP proof beside it; empty without one.
        proof: its claims.
        now: in seconds since 1970, by the server's clock.
    """

    said: Explanation
    header: dict[str, Any]
    claims: dict[str, Any]
    proof_header: dict[str, Any]
    proof: dict[str, Any]
    now: float


def page(
    asks: Iterable[str], rule: str, *, inspected: Inspected | None = None, problem: str | None = None
) -> str:
    """Return the page.

    Args:
        asks: whom the program asks, and for what, in a sentence each.
        rule: the rule in its field.
        inspected: what came of what was pasted.
        problem: why nothing came of it.
    """
    parts = [_head(), _form(asks, rule, is_first=inspected is None and problem is None)]
    if problem is not None:
        parts.append(f'<section id="result" class="verdict"><h2 class="no">{safe(problem)}</h2></section>\n')
    if inspected is not None:
        parts.append(_result(inspected))
    return "".join([*parts, "</main>\n</html>\n"])


def _head() -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        "<title>Inspect a token: bearerguard</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n<main>\n<h1>Inspect a token</h1>\n"
    )


def _form(asks: Iterable[str], rule: str, *, is_first: bool) -> str:
    whom = "".join(f"<li>{safe(sentence)}</li>" for sentence in asks)
    return (
        "<p>This page is served by the command on your own machine. It loads nothing from elsewhere, runs no "
        "script, and keeps nothing. To judge what you paste, the command asks:</p>\n"
        f"<ul>{whom or '<li>nobody</li>'}</ul>\n"
        # To the result, which is below what a telephone shows.
        '<form method="post" action="#result" autocomplete="off">\n'
        '<label for="text">A token, or a whole request</label>\n'
        f'<textarea id="text" name="text" required{" autofocus" if is_first else ""} '
        'spellcheck="false" autocapitalize="off" '
        'autocomplete="off" aria-describedby="hint"></textarea>\n'
        '<small id="hint">A request begins with its line, such as GET /orders HTTP/1.1, and has its fields '
        "below: with it a DPoP proof and a client certificate are checked too.</small>\n"
        '<label for="rule">A rule, if you like</label>\n'
        f'<input id="rule" name="rule" value="{safe(rule)}" spellcheck="false" autocapitalize="off" '
        "autocomplete=\"off\" placeholder=\"scope('orders:read') &amp; role('admin')\">\n"
        "<button>Inspect</button>\n</form>\n"
    )


def _result(inspected: Inspected) -> str:
    said = inspected.said
    is_verified = said.accepted or any(
        one.name in ("signature", "introspection") and one.outcome == "yes" for one in said.checks
    )
    mark = "" if is_verified else ", as claimed: its signature was not verified"
    proof_mark = "" if said.accepted else ", as the client says"
    return (
        _verdict(said)
        + "<h2>Checks</h2>\n"
        + "".join(map(_check, said.checks))
        + ("<h2>What it says</h2>\n" if inspected.header or inspected.claims else _UNREAD)
        + members_table(f"Header{mark}", inspected.header, HEADER, inspected.now)
        + members_table(f"Claims{mark}", inspected.claims, CLAIMS, inspected.now)
        + ("<h2>The proof beside it</h2>\n" if inspected.proof or inspected.proof_header else "")
        + members_table(f"Header of the proof{proof_mark}", inspected.proof_header, PROOF, inspected.now)
        + members_table(f"Claims of the proof{proof_mark}", inspected.proof, PROOF, inspected.now)
    )


def _verdict(said: Explanation) -> str:
    word = "Accepted" if said.accepted else f"Refused: {said.reason}"
    kind, tone = ("verdict accepted", "yes") if said.accepted else ("verdict", "no")
    sentences = [text for text in (said.cause, said.advice) if text is not None]
    paragraphs = "".join(f"<p>{safe(text)}</p>" for text in sentences)
    title = f'<h2 class="{tone}">{safe(word)}</h2>'
    return f'<section id="result" class="{kind}">{title}{paragraphs}</section>\n'


def _check(check: Check) -> str:
    tone = {"yes": "yes", "no": "no"}.get(check.outcome, "not")
    title = f'<b class="{tone}">{check.outcome}</b> {safe(check.name)}'
    rows = ""
    if check.outcome != "not reached":
        found = (
            "" if check.found is None else tree(check.found) if check.name == "rule" else safe(check.found)
        )
        for term, text in (("found", found), ("expected", safe(check.expected or ""))):
            rows += f"<dt>{term}</dt><dd>{text}</dd>" if text else ""
    body = f"<dl>{rows}</dl>" if rows else ""
    return f"<details{' open' if check.outcome == 'no' else ''}><summary>{title}</summary>{body}</details>\n"


_UNREAD = "<h2>What it says</h2>\n<p>Nothing of it can be read.</p>\n"
