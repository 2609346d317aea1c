"""JSON objects out of untrusted bytes, with one verdict for the same bytes at any time.

RFC 8259 JSON in UTF-8, nothing looser: no NaN, no BOM, no lone surrogate, no trailing text. Where a member
is named twice the last one counts, as RFC 7515 section 4 and RFC 7519 section 4 allow, for header, payload
and key set alike: there is one parser, so no two parts of the library can read the same bytes differently.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import msgspec

from bearerguard._limits import MAX_JSON_DEPTH

_BACKSLASH, _QUOTE = b'\\"'  # a number is found in a fifth of the time that a text of one character takes
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
AN_OBJECT: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
"""For `decode_json`: takes only objects."""


def decode_json(data: bytes, decode: Callable[[bytes], Any] = _decode_any) -> Any:
    """Return the value of the JSON text `data`.

    Args:
        data: the text.
        decode: what is taken: any value, or `AN_OBJECT`.

    Raises:
        ValueError: not JSON, not UTF-8, nested deeper than `limits.MAX_JSON_DEPTH`, or not of that kind.
    """
    # The parser's own depth limit depends on how deep the caller stands; this one does not.
    if _opens_many(data) and _is_too_deep(data):
        raise ValueError("nested too deep")
    return decode_part(data, decode)


def decode_part(data: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Return what `decode` takes of the JSON text `data`, however deep the rest of it nests.

    For text of which a part is wanted before its signature is checked, and which is read whole only after.

    Raises:
        ValueError: not JSON, or not of the kind that `decode` takes.
    """
    try:
        return decode(data)
    except msgspec.ValidationError:
        raise ValueError("not a JSON object") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("not JSON") from None


def decode_object(data: bytes) -> dict[str, Any]:
    """Return the members of the JSON object `data`.

    Raises:
        ValueError: not JSON, or JSON that is not an object.

    Examples:
        >>> decode_object(b'{"alg": "ES256"}')
        {'alg': 'ES256'}
    """
    members: dict[str, Any] = decode_json(data, AN_OBJECT)
    return members


def decode_small_object(data: bytes) -> dict[str, Any] | None:
    """Return the members of the JSON object `data`; None, with nothing checked, where it may have many parts.

    For what has not been verified yet: each array and object in it is dear to make.

    Raises:
        ValueError: not JSON, or JSON that is no object.
    """
    if _opens_many(data):
        return None
    members: dict[str, Any] = decode_part(data, AN_OBJECT)
    return members


def names_a_member_twice(data: bytes, members: dict[str, Any]) -> bool:
    """Whether the JSON object `data`, which was decoded to `members`, names a member twice, at any depth.

    For text that has to be strict, of which the parser kept only the last. Each name has two quotes, so where
    what was kept has fewer of them when it is written again, one was lost.

    Examples:
        >>> names_a_member_twice(b'{"a": 1, "a": 2}', {"a": 2})
        True
    """
    return _quotes_in(data) != _quotes_in(_encode(members))


def _quotes_in(text: bytes) -> int:
    """How many quotes begin or end a string of a JSON text."""
    if _BACKSLASH in text:  # an escaped quote is part of a string
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return text.count(_QUOTE)


def decode_large_object(data: bytes) -> dict[str, Any]:
    """The same as `decode_object`, for what `decode_small_object` has found to have many parts."""
    if _is_too_deep(data):
        raise ValueError("nested too deep")
    members: dict[str, Any] = decode_part(data, AN_OBJECT)
    return members


def _opens_many(data: bytes) -> bool:
    """Whether there are more opening brackets than may nest, those in strings included."""
    # What is left without them says how many there are. `replace` leaps from one to the next, where `count`
    # and `translate` look at every byte, which takes as long as parsing does.
    return len(data) - len(data.replace(b"{", b"").replace(b"[", b"")) > MAX_JSON_DEPTH


def decode_object_again(data: bytes) -> dict[str, Any]:
    """Return the members of a JSON object that was decoded before; nothing is checked again."""
    members: dict[str, Any] = _decode_any(data)
    return members


_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'{}[]"')
_AS_BITS = bytes.maketrans(b"{[}]", b"1100")


def _profile(brackets: int) -> tuple[int, int]:
    """How deep eight brackets, one per bit, 1 for an opening one, lead in the end, and at their deepest."""
    depth = deepest = 0
    for bit in f"{brackets:08b}":
        depth += 1 if bit == "1" else -1
        deepest = max(deepest, depth)
    return depth, deepest


@functools.cache
def _profiles() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of each eight brackets: how deep they lead, and how deep they may begin."""
    profiles = [_profile(brackets) for brackets in range(256)]  # made when first needed: few texts nest
    return tuple(end for end, _ in profiles), tuple(MAX_JSON_DEPTH - deepest for _, deepest in profiles)


def _is_too_deep(data: bytes) -> bool:
    """Whether brackets outside strings nest too deep, as far as `data` is JSON.

    The sender of a token chooses what is in it, so this takes one step for eight brackets, and no more for
    anything else: whole passes over the text, each linear, are left to functions of `bytes` and `int`. Text
    that is not JSON may get either answer behind the first mistake, as the parser ends there.
    """
    if _BACKSLASH in data:  # there are none outside strings; without them each quote begins or ends one
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = data.translate(_AS_BITS, _NOT_STRUCTURE)
    if b'"' in brackets:
        # Two quotes side by side are an empty string, or join two strings: nothing is lost with them.
        brackets = b"".join(brackets.replace(b'""', b"").split(b'"')[::2])
    size = (len(brackets) + 7) // 8
    steps, room = _profiles()
    depth = 0
    for eight in int(b"0" + brackets.ljust(8 * size, b"0"), 2).to_bytes(size, "big"):
        if depth > room[eight]:
            return True
        depth += steps[eight]
    return False
