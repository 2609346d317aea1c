"""What `doctor` says of a server's configuration: what is weaker than it has to be. Pure; asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from bearerguard import Provider, ResourceServer
from bearerguard._core.address import is_on_this_machine
from bearerguard.cli._doctor.findings import Finding
from bearerguard.explain.situation import duration, shown

__all__ = ["about_server", "about_settings"]

_LEEWAY = 60.0
_LIFETIME = 86_400.0
_BUDGET = 300.0
_PROOF_AGE = 120.0
_LAG = 60.0


def about_server(server: ResourceServer) -> list[Finding]:
    """Return what is to be said of what a server has beside its providers."""
    findings = [*_shared_audiences(server.providers)]
    if not server.providers:
        findings.append(
            Finding(
                "note", "providers", "only a function of the program knows its issuers",
                "Look at one by itself: bearerguard doctor ISSUER.",
            )
        )  # fmt: skip
    dpop = server.dpop
    if dpop is not None and dpop.max_age > _PROOF_AGE and not dpop.nonce:
        findings.append(
            Finding(
                "warning", "DPoP", f"a proof without a nonce is good for {duration(dpop.max_age)}",
                "Whoever gets hold of a proof has as long: write DPoP(max_age=60), or nonce=...",
            )
        )  # fmt: skip
    if dpop is not None and dpop.dangerously_accept_replays:
        findings.append(
            Finding(
                "warning", "DPoP", "proofs are accepted unnoted (dangerously_accept_replays)",
                "While the store is away, a proof that was used is accepted again: leave it out.",
            )
        )  # fmt: skip
    if dpop is not None and dpop.nonce:
        findings.append(
            Finding(
                "note", "DPoP", "proofs need a nonce, which a page in a browser sees only if CORS says so",
                "Where pages ask this API, have its CORS middleware expose DPoP-Nonce and WWW-Authenticate.",
            )
        )  # fmt: skip
    findings += [*_certificates(server), *_revocations(server)]
    if server.resource is None:
        findings.append(
            Finding("note", "resource", "not given: clients do not find the metadata of this API (RFC 9728)")
        )
    return findings or [Finding("ok", "settings", "nothing is weaker than by default")]


def _certificates(server: ResourceServer) -> Iterator[Finding]:
    """From here nobody sees how the API is started, and whether a client can choose the peer's address."""
    source = server.certificate
    if source is None or source.header is None:
        return
    peers = ", ".join(map(str, source.peers))
    name = source.header
    spellings = name if "-" not in name else f"{name}, and {name.replace('-', '_')} under WSGI"
    yield Finding(
        "note", "certificate", f"the header {name} is believed from {peers}",
        "Start uvicorn with --no-proxy-headers, and use no ProxyFix: they let a client choose the address of "
        f"its peer. Have the proxy remove what clients send as {spellings}.",
    )  # fmt: skip


def _revocations(server: ResourceServer) -> Iterator[Finding]:
    revocation = server.revocation
    if revocation is None:
        return
    if revocation.dangerously_accept_unheard_revocations:
        yield Finding(
            "warning", "revocation", "accepted unheard (dangerously_accept_unheard_revocations)",
            "While the store is away, tokens that were revoked are accepted: leave it out.",
        )  # fmt: skip
    if revocation.max_lag > _LAG:
        yield Finding(
            "warning", "revocation", f"may be {duration(revocation.max_lag)} behind",
            "A token that was revoked is good for as long while the store is away: write a smaller max_lag.",
        )  # fmt: skip


def _shared_audiences(providers: tuple[Provider, ...]) -> Iterator[Finding]:
    """Two issuers whose tokens are for one name: either of them can let anybody in."""
    issuers = Counter(
        (audience, provider.issuer) for provider in providers for audience in set(provider.audiences)
    )
    for audience, count in Counter(audience for audience, _ in issuers).items():
        if count > 1:
            names = ", ".join(shown(one.name) for one in providers if audience in one.audiences)
            yield Finding(
                "warning", "audience", f"{shown(audience)} is accepted from several providers: {names}",
                "Rules do not tell them apart by themselves: give each an audience of its own, or ask for "
                "claim('iss', ...) where it matters.",
            )  # fmt: skip


def about_settings(provider: Provider) -> list[Finding]:
    """Return what is to be said of a provider's own options."""
    findings = [*_opt_outs(provider), *_addresses(provider), *_times(provider)]
    secret = sorted(name for name in provider.algorithms if name.startswith("HS"))
    if secret:
        findings.append(
            Finding(
                "warning", "algorithms", f"{', '.join(secret)}: whoever can verify a token can forge one",
                "Have the provider sign with RS256, ES256 or Ed25519.",
            )
        )  # fmt: skip
    return findings or [Finding("ok", "settings", "nothing is weaker than by default")]


def _opt_outs(provider: Provider) -> Iterator[Finding]:
    remote, asked = provider.remote_keys, provider.introspection
    if provider.dangerously_accept_any_issuer:
        yield Finding(
            "warning",
            "issuer",
            "any is accepted (dangerously_accept_any_issuer)",
            "Write Provider(issuer, ...).",
        )
    if provider.dangerously_accept_any_audience:
        yield Finding(
            "warning", "audience", "any is accepted (dangerously_accept_any_audience)",
            "A token for any other API of this provider opens this one: write audience=...",
        )  # fmt: skip
    if remote is not None and remote.dangerously_allow_http:
        yield Finding(
            "warning", "keys", "are fetched over plain http (dangerously_allow_http)",
            "Anyone on the way can forge tokens: serve them over https.",
        )  # fmt: skip
    if asked is not None and asked.dangerously_unauthenticated:
        yield Finding(
            "warning", "introspection", "without credentials (dangerously_unauthenticated)",
            "A server that answers so answers anyone who tries tokens out.",
        )  # fmt: skip
    if asked is not None and asked.audience_checked_by_issuer:
        yield Finding("note", "introspection", "the provider is relied on for the audience")


def _addresses(provider: Provider) -> Iterator[Finding]:
    remote, asked = provider.remote_keys, provider.introspection
    given = [provider.issuer, *([] if remote is None else [remote.url, remote.metadata_url])]
    given += [] if asked is None else [asked.url]
    for address in dict.fromkeys(one for one in given if one is not None):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        if (parts.hostname or "").lower().endswith(".localhost"):
            yield Finding(
                "warning", "address", f"{shown(address)}: a name below localhost is what the resolver says",
                "Write 127.0.0.1 or localhost.",
            )  # fmt: skip
        elif parts.scheme == "http" and not is_on_this_machine(address):
            yield Finding("warning", "address", f"{shown(address)} is plain http", "Write https.")


def _times(provider: Provider) -> Iterator[Finding]:
    remote, asked = provider.remote_keys, provider.introspection
    if provider.leeway > _LEEWAY:
        yield Finding(
            "warning", "leeway", f"tokens are accepted for {duration(provider.leeway)} after their end",
            "Set the clocks by NTP, and leave leeway out.",
        )  # fmt: skip
    if remote is not None and remote.lifetime is not None and remote.lifetime > _LIFETIME:
        said = duration(remote.lifetime) if remote.lifetime < float("inf") else "ever"
        yield Finding(
            "warning", "lifetime", f"keys are believed for {said}",
            "A key that was stolen and withdrawn is good for as long: leave RemoteKeys(lifetime=...) out.",
        )  # fmt: skip
    if asked is not None and asked.revocation_budget > _BUDGET:
        yield Finding(
            "warning", "introspection", f"answers are believed for {duration(asked.revocation_budget)}",
            "A token that was revoked is good for as long: write a smaller revocation_budget.",
        )  # fmt: skip
