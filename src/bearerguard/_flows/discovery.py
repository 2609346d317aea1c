"""How an issuer's metadata is found: which addresses to ask, in which order, and what answers to believe.

A flow of `HttpGet` effects. It believes metadata only where it names the issuer that was asked about
(RFC 8414, section 3.3), and follows nothing that it says.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from bearerguard._core.address import metadata_addresses, why_insecure
from bearerguard._core.issuer_template import template_of
from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet
from bearerguard._jose.json_object import decode_object


def discover(
    issuer: str, share: float = 1.0, *, at: str | None = None
) -> Generator[HttpGet, HttpAnswer, dict[str, Any]]:
    """Return an issuer's metadata, from the first of its well-known addresses where it is.

    A 4xx, a redirect or anything but a JSON object says that it is not there: providers answer so for paths
    that they do not have. Any other trouble may be over soon, and ends the search.

    Args:
        issuer: an https URL, or one with a place for the tenant.
        share: of the time that is left, how much each request may take.
        at: the one address where to look, where it does not follow from the issuer.

    Raises:
        FetchFailed: the issuer has no metadata there, or they are another issuer's; the message names each
            address that was asked and what it answered, the kind is that of the first.
    """
    absent: list[FetchFailed] = []
    for address in metadata_addresses(issuer) if at is None else (at,):
        try:
            answer = yield HttpGet(address, share=share)
            metadata = _object_in(answer, address)
        except FetchFailed as failure:
            raise _after(absent, failure) from None
        if isinstance(metadata, FetchFailed):
            absent.append(metadata)
            continue
        if not _is_of(issuer, metadata.get("issuer")):
            raise _mismatch(address, metadata.get("issuer"), issuer)
        return metadata
    raise FetchFailed(absent[0].kind, "; ".join(str(failure) for failure in absent))


def _is_of(issuer: str, named: object) -> bool:
    """Whether metadata is the issuer's (RFC 8414, section 3.3); that of many tenants names their template."""
    if named == issuer:
        return True
    template = template_of(issuer)
    return template is not None and isinstance(named, str) and template.is_of(named)


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


def address_in(metadata: Mapping[str, Any], member: str, issuer: str, *, allow_http: bool) -> str:
    """Return an address that an issuer's metadata name.

    Loopback is fine for an issuer that is there itself, not for what a document from elsewhere names.

    Args:
        metadata: the document, or a part of it.
        member: the name of the address.
        issuer: whose metadata they are.
        allow_http: whether plain http off loopback is accepted.

    Raises:
        FetchFailed: the document names no such address, or one that may not be asked.
    """
    address = metadata.get(member)
    if not isinstance(address, str):
        raise FetchFailed(f"no_{member}", f"the metadata names no {member}")
    insecure = why_insecure(address, allow_http=allow_http)
    if insecure is None and not address.startswith("https:") and issuer.startswith("https:"):
        insecure = None if allow_http else "it is not https"
    if insecure is not None:
        raise FetchFailed(
            f"insecure_{member}", f"the metadata's {member} is {address!r:.200}, but {insecure}"
        )
    return address
