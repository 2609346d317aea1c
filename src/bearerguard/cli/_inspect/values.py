"""Values out of tokens as HTML: escaped twice over, for the reader and for the browser, and bounded.

Nothing that may be a token by itself is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from bearerguard.cli._inspect.meanings import DATES
from bearerguard.explain.situation import date_in, duration, written

__all__ = ["members_table", "safe", "tree"]

_LONGEST, _ONE_LINE = 2000, 60
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]*(?:\.[\w-]*)*")


def safe(text: str) -> str:
    """Return text for HTML: what cannot be seen is written out, and the rest is not markup."""
    seen = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return escape(_JWT.sub("(a token)", seen))


def value(name: str, members: Mapping[str, Any], now: float) -> str:
    """Return a member's value, a date as a date with its distance to now."""
    text = json.dumps(members[name], ensure_ascii=False)
    if len(text) > _ONE_LINE and isinstance(members[name], dict | list):
        text = json.dumps(members[name], ensure_ascii=False, indent=1)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ... ({len(text)} characters)"
    date = date_in(dict(members), name) if name in DATES else None
    if date is None:
        return f"<code>{safe(text)}</code>"
    far = f"{duration(date - now)} {'ago' if date <= now else 'ahead'}"
    return f"<code>{safe(text)}</code><br>{safe(written(date))}, {safe(far)}"


def members_table(caption: str, members: Mapping[str, Any], meanings: Mapping[str, str], now: float) -> str:
    """Return members of a JSON object as a table; nothing where there are none.

    Args:
        caption: what they are.
        members: by name.
        meanings: what each means, where it is known.
        now: in seconds since 1970.
    """
    if not members:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><code>{safe(name)}</code></th><td>{value(name, members, now)}'
        f"<small>{safe(meanings.get(name, ''))}</small></td></tr>\n"
        for name in members
    )
    return f"<table>\n<caption>{safe(caption)}</caption>\n{rows}</table>\n"


def tree(lines: str) -> str:
    """Return a rule's verdict, as `RuleExplanation` prints it, as nested lists."""
    opened = 0
    html: list[str] = []
    for line in lines.splitlines():
        text = line.lstrip(" ")
        depth = (len(line) - len(text)) // 5 + 1
        if depth > opened:
            html.append("<ul>" * (depth - opened))
        elif html:
            html.append("</li>" + "</ul></li>" * (opened - depth))
        opened = depth
        verdict, _, rest = text.partition(" ")
        html.append(
            f'<li><b class="{"yes" if verdict == "yes" else "no"}">{safe(verdict)}</b> {safe(rest.strip())}'
        )
    html.append("</li></ul>" * opened)
    return "".join(html)
