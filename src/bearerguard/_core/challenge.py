"""The value of a `WWW-Authenticate` header: one place where text from anywhere becomes a header.

RFC 9110 section 11.6.1 for the form, section 5.6.4 for quoting. No character that could end the header or
the quoted string gets through, whatever is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# RFC 6750 section 3 has no quotes and no backslashes in these, not even escaped.
_WITHOUT_ESCAPES: Final = frozenset({"error", "error_description", "scope"})
_REPLACED: Final = str.maketrans({'"': "'", "\\": "/"})


def quoted(text: str) -> str:
    r"""Return `text` as a quoted-string (RFC 9110, section 5.6.4).

    Quotes and backslashes are escaped; a character outside printable ASCII becomes `?`, since a header has
    no portable way to carry it and a control character would split it.

    Examples:
        >>> quoted('say "hi"')
        '"say \\"hi\\""'
    """
    printable = "".join(character if " " <= character <= "~" else "?" for character in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_challenge(scheme: str, parameters: Iterable[tuple[str, str | None]]) -> str:
    """Return one challenge: the scheme and its parameters, those that are None left out.

    Examples:
        >>> format_challenge("Bearer", [("realm", "shop"), ("error", None)])
        'Bearer realm="shop"'
    """
    given = ", ".join(
        f"{name}={quoted(value.translate(_REPLACED) if name in _WITHOUT_ESCAPES else value)}"
        for name, value in parameters
        if value is not None
    )
    return f"{scheme} {given}" if given else scheme
