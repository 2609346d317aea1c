"""JSON objects out of untrusted bytes, with one verdict for the same bytes at any time.

RFC 8259 JSON in UTF-8, nothing looser: no NaN, no BOM, no lone surrogate, no trailing text. Where a member
is named twice the last one counts, as RFC 7515 section 4 and RFC 7519 section 4 allow, for header, payload
and key set alike: there is one parser, so no two parts of the library can read the same bytes differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bearerguard._limits import MAX_JSON_DEPTH

_decode_any = msgspec.json.Decoder().decode
AN_OBJECT: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
"""For `decode_json`: takes objects alone."""


def decode_json(data: bytes, decode: Callable[[bytes], Any] = _decode_any) -> Any:
    """Return the value of the JSON text `data`.

    Args:
        data: the text.
        decode: what is taken: any value, or `AN_OBJECT`.

    Raises:
        ValueError: not JSON, not UTF-8, nested deeper than `limits.MAX_JSON_DEPTH`, or not of that kind.
    """
    # The parser's own depth limit depends on how deep the caller stands; this one does not. Counting is
    # a fast upper bound, so the exact walk is only taken by a text that has many brackets. What is left
    # without them says how many there are, of both kinds, in one pass.
    if len(data) - len(data.translate(None, b"{[")) > MAX_JSON_DEPTH and _depth(data) > MAX_JSON_DEPTH:
        raise ValueError("nested too deep")
    try:
        return decode(data)
    except msgspec.ValidationError:
        raise ValueError("not a JSON object") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("not JSON") from None


def decode_object(data: bytes) -> dict[str, Any]:
    """Return the members of the JSON object `data`.

    Raises:
        ValueError: not JSON, or JSON that is no object.

    Example:
        >>> decode_object(b'{"alg": "ES256"}')
        {'alg': 'ES256'}
    """
    members: dict[str, Any] = decode_json(data, AN_OBJECT)
    return members


def decode_object_again(data: bytes) -> dict[str, Any]:
    """Return the members of a JSON object that `decode_object` took before; nothing is checked again."""
    members: dict[str, Any] = _decode_any(data)
    return members


def _depth(data: bytes) -> int:
    """The deepest nesting of brackets outside strings."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:  # backslash
                escaped = True
            elif byte == 0x22:  # quote
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest
