"""What `doctor` says of a provider's answers: metadata, TLS, clock, speed. Pure: from answers to findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bearerguard import Provider
from bearerguard._core.address import is_on_this_machine
from bearerguard.cli._doctor.findings import Finding
from bearerguard.cli._doctor.probe import Answer
from bearerguard.explain.issuers import differences_in_writing
from bearerguard.explain.situation import duration, shown, written

__all__ = ["about_connection", "about_metadata", "about_support", "metadata_in"]

_DAY = 86_400.0
_SOON = 14 * _DAY
_SLOW, _TOO_SLOW = 1.0, 4.0
_CLOCK = 2.0
"""Seconds: less than that is the second that `Date` is rounded to, and the way."""


def metadata_in(answer: Answer) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None where it has none."""
    if answer.status != 200:
        return None
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def about_metadata(provider: Provider, answers: Iterable[Answer], *, is_needed: bool) -> list[Finding]:
    """Return what is to be said of each well-known place.

    Args:
        provider: whose they are.
        answers: of the places, in the order in which the library looks.
        is_needed: whether the keys are found by them.
    """
    findings: list[Finding] = []
    first: dict[str, Any] | None = None
    has_answered = False
    for answer in answers:
        has_answered = has_answered or answer.failure is None
        metadata = metadata_in(answer)
        if metadata is None:
            findings.append(Finding("note", "metadata", f"{answer.url}: {_why_none(answer)}"))
        else:
            findings.append(
                Finding("ok", "metadata", f"{answer.url}: there{'' if first is None else ', too'}")
            )
            first = metadata if first is None else first
    if first is not None:
        findings.append(_about_issuer(provider, first))
    elif is_needed and has_answered:
        findings.append(
            Finding(
                "error", "metadata", "there is none, and the keys are to be found by it",
                "Compare the issuer with the iss of a token, or write keys='https://...' with the address "
                "of the key set.",
            )
        )  # fmt: skip
    return findings


def _why_none(answer: Answer) -> str:
    if answer.failure is not None:
        return answer.failure
    if answer.status == 200:
        return "not a JSON object"
    if answer.status is not None and 300 <= answer.status < 400:
        return f"a redirect (HTTP {answer.status}), which is not followed"
    return f"HTTP {answer.status}"


def _about_issuer(provider: Provider, metadata: Mapping[str, Any]) -> Finding:
    named, configured = metadata.get("issuer"), provider.issuer
    template = provider.issuer_template
    if named == configured:
        return Finding("ok", "issuer", f"{shown(named)}, as configured")
    if template is not None and isinstance(named, str) and template.is_of(named):
        return Finding("ok", "issuer", f"{shown(named)}, which stands for every tenant")
    differences = differences_in_writing(str(named), str(configured))
    what = f": they differ only in {' and '.join(differences)}" if differences else ""
    return Finding(
        "error",
        "issuer",
        f"the metadata is of {shown(named)}, and {shown(configured)} is configured{what}",
        f"Write Provider({shown(named)}, ...), if that is the provider that you mean.",
    )


def about_connection(provider: Provider, answers: Iterable[Answer], now: float) -> list[Finding]:
    """Return what is to be said of TLS, the clock and the speed, once for each host.

    Args:
        provider: whose server answers.
        answers: all of them, in the order of the questions.
        now: in seconds since 1970.
    """
    findings: list[Finding] = []
    hosts: set[str] = set()
    for answer in answers:
        host = urlsplit(answer.url).netloc
        if host in hosts:
            continue
        hosts.add(host)
        findings.append(_about_tls(answer, host, now))
        if answer.failure is None:
            findings += [_about_clock(answer, host, provider.leeway), _about_speed(answer, host)]
    return findings


def _about_tls(answer: Answer, host: str, now: float) -> Finding:
    if answer.failure is not None:
        return Finding(
            "error", "connection", f"{host} cannot be asked: {answer.failure}",
            "From this machine the API cannot fetch keys: look at the name, the network, a proxy, and the "
            "authorities that are trusted here.",
        )  # fmt: skip
    if answer.url.startswith("http:"):
        if is_on_this_machine(answer.url):
            return Finding("ok", "TLS", f"{host} is this machine, without TLS")
        return Finding(
            "warning", "TLS", f"{host} is asked over plain http",
            "Anyone on the way can replace its keys and forge tokens: serve it over https.",
        )  # fmt: skip
    ends = answer.certificate_ends
    if ends is None:
        return Finding("note", "TLS", f"{host}: its certificate is not shown by this HTTP client")
    left = ends - now
    said = f"{host}: the certificate ends on {written(ends)}, in {duration(left)}"
    if left < _SOON:
        return Finding("warning", "TLS", said, "Have it renewed: once it has ended, no keys can be fetched.")
    return Finding("ok", "TLS", said)


def _about_clock(answer: Answer, host: str, leeway: float) -> Finding:
    ahead = answer.clock
    if ahead is None:
        return Finding("note", "clock", f"{host} does not say what time it is")
    if abs(ahead) <= _CLOCK:
        return Finding("ok", "clock", f"that of {host} and that of this machine agree")
    said = f"that of {host} is {duration(ahead)} {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) <= leeway:
        return Finding("note", "clock", f"{said}; up to {leeway:g} s are forgiven")
    return Finding("warning", "clock", f"{said}, and {leeway:g} s are forgiven", "Set both clocks by NTP.")


def _about_speed(answer: Answer, host: str) -> Finding:
    said = f"{host} answered in {answer.seconds * 1000:.0f} ms, over a new connection"
    if answer.seconds >= _TOO_SLOW:
        return Finding(
            "error", "latency", said,
            "A fetch of metadata and keys has 5 s in all: give RemoteKeys(http_options={'timeout': ...}).",
        )  # fmt: skip
    if answer.seconds >= _SLOW:
        return Finding("warning", "latency", said, "The first request after a start waits for this.")
    return Finding("ok", "latency", said)


def about_support(provider: Provider, metadata: Mapping[str, Any], *, takes_dpop: bool) -> list[Finding]:
    """Return what is to be said of what the provider says it can do.

    Args:
        provider: whose metadata they are.
        metadata: the document.
        takes_dpop: whether the server takes tokens that are bound to a key.
    """
    findings: list[Finding] = []
    asked = metadata.get("introspection_endpoint")
    introspection = provider.introspection
    if introspection is not None and introspection.url is None and not isinstance(asked, str):
        findings.append(
            Finding(
                "error", "introspection", "the metadata names no introspection_endpoint",
                "Write Introspection(..., url='https://...').",
            )
        )  # fmt: skip
    elif asked is None:
        findings.append(Finding("note", "introspection", "not offered"))
    else:
        methods = metadata.get("introspection_endpoint_auth_methods_supported")
        said = f"offered at {shown(asked)}"
        is_other = (
            introspection is not None and isinstance(methods, list) and introspection.method not in methods
        )
        if is_other and introspection is not None and introspection.method not in ("bearer", "none"):
            findings.append(
                Finding(
                    "warning", "introspection",
                    f"{said}, and {introspection.method} is not among {_listed(methods)}",
                    "Write Introspection(..., method=...) with one of them.",
                )
            )  # fmt: skip
        else:
            findings.append(Finding("ok" if introspection is not None else "note", "introspection", said))
    proofs = metadata.get("dpop_signing_alg_values_supported")
    if proofs is not None:
        findings.append(Finding("ok" if takes_dpop else "note", "DPoP", f"offered, with {_listed(proofs)}"))
    elif takes_dpop:
        findings.append(
            Finding(
                "warning", "DPoP",
                "the server takes tokens that are bound to a key, and the provider does not offer any",
                "See whether it can issue them, or leave dpop out.",
            )
        )  # fmt: skip
    else:
        findings.append(Finding("note", "DPoP", "not offered"))
    return findings


def _listed(names: Any) -> str:
    """Names that somebody else has written, one after the other."""
    texts = [shown(name)[1:-1] for name in names] if isinstance(names, list) else [shown(names)]
    return ", ".join(texts)
