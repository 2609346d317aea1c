"""How an issuer's metadata is found: which addresses to ask, in which order, and what answers to believe.

A flow of `HttpGet` effects. It believes metadata only where it names the issuer that was asked about
(RFC 8414, section 3.3), and follows nothing that it says.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bearerguard._core.address import metadata_addresses
from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet
from bearerguard._jose.json_object import decode_object


def discover(issuer: str, share: float = 1.0) -> Generator[HttpGet, HttpAnswer, dict[str, Any]]:
    """Return an issuer's metadata, from the first of its well-known addresses where it is.

    A 4xx, a redirect or anything but a JSON object says that it is not there: providers answer so for paths
    that they do not have. Any other trouble may be over soon, and ends the search.

    Args:
        issuer: an https URL.
        share: of the time that is left, how much each request may take.

    Raises:
        FetchFailed: the issuer has no metadata there, or they are another issuer's; the message names each
            address that was asked and what it answered, the kind is that of the first.
    """
    absent: list[FetchFailed] = []
    for address in metadata_addresses(issuer):
        try:
            answer = yield HttpGet(address, share=share)
            metadata = _object_in(answer, address)
        except FetchFailed as failure:
            raise _after(absent, failure) from None
        if isinstance(metadata, FetchFailed):
            absent.append(metadata)
            continue
        if metadata.get("issuer") != issuer:
            raise _mismatch(address, metadata.get("issuer"), issuer)
        return metadata
    raise FetchFailed(absent[0].kind, "; ".join(str(failure) for failure in absent))


def _object_in(answer: HttpAnswer, address: str) -> dict[str, Any] | FetchFailed:
    """The JSON object of an answer, or why it has none; raises only if the provider is in trouble."""
    if answer.status != 200:
        failure = unexpected_status(answer, address)
        if 300 <= answer.status < 500:
            return failure
        raise failure
    try:
        return decode_object(answer.body)
    except ValueError as problem:
        looks = "HTML (a login page, perhaps?)" if answer.body.lstrip()[:1] == b"<" else problem
        return FetchFailed("not_json", f"{address}: the metadata is {looks}")


def _mismatch(address: str, named: object, issuer: str) -> FetchFailed:
    """RFC 8414, section 3.3: else a provider could speak for another."""
    return FetchFailed(
        "issuer_mismatch",
        f"{address} is the metadata of issuer {named!r:.200}, and the configured issuer is {issuer!r}",
    )


def _after(absent: list[FetchFailed], failure: FetchFailed) -> FetchFailed:
    """The failure that ended a search, with what was found before it."""
    if not absent:
        return failure
    return FetchFailed(failure.kind, "; ".join(str(one) for one in (*absent, failure)))


def unexpected_status(answer: HttpAnswer, address: str) -> FetchFailed:
    """What an answer that is not a 200 means: nothing that it carries is believed."""
    if 300 <= answer.status < 400 and answer.status != 304:
        return FetchFailed("redirect", f"{address} answered with a redirect (HTTP {answer.status})")
    return FetchFailed("http_status", f"{address} answered HTTP {answer.status}")
