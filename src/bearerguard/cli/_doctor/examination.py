"""Asks what `doctor` has to know, and hands the answers to the checks. Decides nothing about them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bearerguard import Provider, ProviderUnavailable, ResourceServer
from bearerguard._core.address import is_address, metadata_addresses
from bearerguard._flows.discovery import address_in
from bearerguard._flows.effects import FetchFailed
from bearerguard.cli._doctor.findings import Finding, Section
from bearerguard.cli._doctor.keys import about_cache, about_given_keys, about_keys
from bearerguard.cli._doctor.metadata import about_connection, about_metadata, about_support, metadata_in
from bearerguard.cli._doctor.probe import Answer, Ask, asking
from bearerguard.cli._doctor.settings import about_server, about_settings
from bearerguard.cli._doctor.store import about_revocations, about_store, facts_of
from bearerguard.explain.situation import shown
from bearerguard.logging import on_one_line

__all__ = ["examine"]

Tell = Callable[[str], None]


def examine(
    server: ResourceServer, tell: Tell, clock: Callable[[], float], *, has_settings: bool
) -> tuple[Section, ...]:
    """Return what was found about a server and each of its providers.

    Args:
        server: the server.
        tell: is told what is being waited for.
        clock: seconds since 1970.
        has_settings: whether the configuration is somebody's, and is to be looked at too.
    """
    facts = None
    if has_settings and server.store is not None:
        # Before anything else asks it: after a failure it is left alone, and would not say why it failed.
        tell("asking the store")
        facts = facts_of(server.store)
    tell("fetching keys as the server does")
    with suppress(ProviderUnavailable):  # for each provider it is told below
        server.warm_up()
    tell("asking about a made-up token")
    reasons = _asks_as_configured(server)
    health = server.health()
    sections = []
    for provider in server.providers:
        findings = _about(provider, tell, clock, takes_dpop=server.dpop is not None)
        report = health["providers"].get(provider.name, {})
        findings += _as_the_server_sees_it(report, reasons.get(provider.name))
        if has_settings:
            findings += about_settings(provider)
        sections.append(Section(f"provider {shown(provider.name)}", tuple(findings)))
    if has_settings:
        own = about_server(server)
        if facts is not None:
            own += about_store(facts)
        if server.revocation is not None:
            tell("asking what was revoked")
            own += _about_revocations(server)
        sections.append(Section("the server", tuple(own)))
    return tuple(sections)


def _about_revocations(server: ResourceServer) -> list[Finding]:
    kept = server._revocations  # noqa: SLF001 - they are heard when a request asks, and none does here
    are_heard = kept is None or kept.hear() is None
    health = server.health().get("revocations", {})
    return about_revocations(health, are_heard=are_heard, is_shared=server.store is not None)


def _about(provider: Provider, tell: Tell, clock: Callable[[], float], *, takes_dpop: bool) -> list[Finding]:
    remote = provider.remote_keys
    ask = asking({} if remote is None else remote.http_options, clock)
    places = _places(provider)
    answers = [_told(ask, place, tell) for place in places]
    first = next((found for found in map(metadata_in, answers) if found is not None), None)
    is_needed = remote is not None and remote.url is None and remote.function is None
    findings = about_metadata(provider, answers, is_needed=is_needed) if places else []
    try:
        address = _address_of_keys(provider, first)
    except FetchFailed as failure:
        address = None
        advice = "The library does not fetch keys from there, and neither does this command."
        findings.append(Finding("error", "key set", shown(str(failure))[1:-1], advice))
    keys = None if address is None else _told(ask, address, tell)
    if keys is not None:
        answers.append(keys)
    findings += about_connection(provider, answers, clock())
    if keys is not None:
        findings += [*about_keys(provider, keys, clock()), about_cache(provider, keys)]
    elif remote is None:
        findings += about_given_keys(provider, clock())
    elif remote.function is not None:
        findings.append(Finding("note", "key set", "comes from a function of the program"))
    elif remote.url is not None:
        findings.append(
            Finding("note", "key set", f"{shown(remote.url)}: each key has an address of its own")
        )
    if first is not None:
        findings += about_support(provider, first, takes_dpop=takes_dpop)
    return findings


def _told(ask: Ask, address: str, tell: Tell) -> Answer:
    tell(on_one_line(f"asking {address}"))
    return ask(address)


def _places(provider: Provider) -> tuple[str, ...]:
    """Where the issuer's metadata may stand; nowhere, where the library does not ask for it either."""
    remote, issuer, asked = provider.remote_keys, provider.issuer, provider.introspection
    if remote is None and (asked is None or asked.url is not None):
        return ()
    if remote is not None and remote.metadata_url is not None:
        return (remote.metadata_url,)
    if issuer is None or not is_address(issuer) or provider.issuer_template is not None:
        return ()
    return metadata_addresses(issuer)


def _address_of_keys(provider: Provider, metadata: Mapping[str, Any] | None) -> str | None:
    """Where the keys are, by the rule of the library; None where they are not at one address.

    Raises:
        FetchFailed: the metadata names an address from which keys are not fetched.
    """
    remote = provider.remote_keys
    if remote is None or remote.function is not None or remote.kid_pattern is not None:
        return None
    if remote.url is not None:
        return remote.url
    if metadata is None:
        return None
    return address_in(metadata, "jwks_uri", provider.issuer or "", allow_http=remote.dangerously_allow_http)


def _asks_as_configured(server: ResourceServer) -> dict[str, str | None]:
    """By the provider that is asked about it: the reason for which a made-up opaque token is refused."""
    asked = {one.name: one.introspection for one in server.providers if one.introspection is not None}
    return {
        name: server.explain((introspection.token_prefix or "") + secrets.token_urlsafe(32)).reason
        for name, introspection in asked.items()
    }


def _as_the_server_sees_it(health: Mapping[str, Any], reason: str | None) -> list[Finding]:
    findings: list[Finding] = []
    failure = health.get("last_failure")
    if health.get("state") in ("none", "stale") and failure is not None:
        findings.append(
            Finding(
                "error", "keys", f"the server cannot fetch them: {shown(failure['message'])[1:-1]}",
                "Until it can, tokens of this provider are answered 503.",
            )
        )  # fmt: skip
    elif health.get("state") == "fresh":
        findings.append(Finding("ok", "keys", f"the server itself has fetched {health['keys']}"))
    if reason is None:
        return findings
    asked = health.get("introspection") or {}
    if asked.get("state") in ("failing", "misconfigured"):
        why = asked.get("last_failure") or {}
        said = shown(why.get("message", "no answer"))[1:-1]
        findings.append(
            Finding(
                "error", "introspection", f"the provider does not answer a question: {said}",
                "Look at client id, secret and method of Introspection(...).",
            )
        )  # fmt: skip
    elif reason in ("inactive", "provider_unavailable"):  # which may be another's, that is asked too
        findings.append(Finding("ok", "introspection", "a made-up token is told to be inactive"))
    return findings
