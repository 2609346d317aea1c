"""What a door adds to a document that its framework makes: schemes, alternatives, refusals, what a rule asks.

One piece of code for all of them, so that the same guard is documented alike in each framework. It knows no
framework, and nothing here decides about a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from bearerguard._core.address import why_insecure
from bearerguard.openapi.schemes import bearer_scheme, provider_scheme
from bearerguard.provider import Provider
from bearerguard.rules import Rule, authenticated

if TYPE_CHECKING:
    from bearerguard.dpop import DPoP

__all__ = [
    "DPOP",
    "MUTUAL_TLS",
    "add_need",
    "provider_schemes",
    "put_refusals",
    "refusals",
    "requirements",
    "scheme_names",
]

DPOP = "DPoP"
"""The name of the scheme of proofs."""
MUTUAL_TLS = "mutualTLS"
"""The name of the scheme of client certificates."""

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9._-]+")
"""What the name of a component must not have (OpenAPI 3.1.1, section 4.8.7)."""


# -- the providers ---------------------------------------------------------------------------------------


def scheme_names(
    providers: Iterable[Provider], is_taken: Callable[[str], bool] = lambda _: False
) -> dict[str, str]:
    """Return the name of the scheme of each provider, by the provider's name.

    It is the provider's own name where it was given one, `oauth2` where it is the only one and has none, and
    its issuer without the scheme where it is one of several.

    Args:
        providers: whose tokens are accepted.
        is_taken: whether another scheme of the document has a name.
    """
    several = tuple(providers)
    names: dict[str, str] = {}
    for provider in several:
        wanted = provider.name
        if wanted == provider.issuer:
            wanted = "oauth2" if len(several) == 1 else wanted.partition("://")[2] or wanted
        wanted = _NOT_IN_A_NAME.sub("-", wanted).strip("-") or "oauth2"
        name, number = wanted, 1
        while name in names.values() or is_taken(name):
            number += 1
            name = f"{wanted}_{number}"
        names[provider.name] = name
    return names


def provider_schemes(
    providers: Iterable[Provider],
    metadata: Iterable[Mapping[str, Any] | None],
    scopes: Mapping[str, str],
    is_taken: Callable[[str], bool],
    *,
    scopes_of: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the scheme of each provider, under names that nobody has taken (`scheme_names`).

    Args:
        providers: whose tokens are accepted; none where only a function knows.
        metadata: what each issuer says of itself, as far as that is known.
        scopes: each scope with its description.
        is_taken: whether another scheme of the document has a name.
        scopes_of: the scopes of single providers, by name, where they are called otherwise there.
    """
    several = tuple(providers)
    names = scheme_names(several, is_taken)
    schemes: dict[str, dict[str, Any]] = {}
    for provider, known in zip(several, metadata, strict=True):
        own = (scopes_of or {}).get(provider.name, scopes)
        scheme = provider_scheme(provider, known or {}, own)
        if known is None and _tells_metadata(provider):
            scheme["description"] += (
                ". How to get one is left out: the metadata of its issuer could not be read when this "
                "document was made"
            )
        schemes[names[provider.name]] = scheme
    if not schemes:  # only a function knows the issuers, and it tells nobody
        name = "bearer"
        while is_taken(name):
            name += "_"
        schemes[name] = bearer_scheme() | {"description": "A token of an issuer that this API trusts"}
    return schemes


def _tells_metadata(provider: Provider) -> bool:
    """Whether its issuer is asked what it says of itself."""
    remote = provider.remote_keys
    if provider.issuer is None or provider.source is not None:
        return False
    if remote is None or remote.function is not None:
        return False
    if remote.metadata_url is not None:
        return True
    is_one = provider.issuer_template is None
    return is_one and why_insecure(provider.issuer, allow_http=remote.dangerously_allow_http) is None


# -- the operations --------------------------------------------------------------------------------------


def requirements(
    schemes: Mapping[str, Mapping[str, Any]],
    rule: Rule | None,
    *,
    version: object = "3.1",
    has_certificate: bool = False,
    dpop: DPoP | None = None,
) -> list[dict[str, list[str]]]:
    """Return what an operation asks for, each way once: a token of one of these schemes.

    Args:
        schemes: Security Scheme Objects, by name.
        rule: what the token must fulfil; None where a token is optional.
        version: of OpenAPI. In 3.0 only OAuth 2.0 and OpenID Connect have names of scopes (3.0.3, "Security
            Requirement Object").
        has_certificate: whether a token may come with the certificate that it is bound to.
        dpop: how tokens that are bound to a key are taken, where they are.
    """
    found: list[dict[str, list[str]]] = [{}] if rule is None else []
    for name, scheme in schemes.items():
        has_scopes = "flows" in scheme or "openIdConnectUrl" in scheme or not str(version).startswith("3.0")
        for one in (authenticated if rule is None else rule).security_requirement(name):
            way = one if has_scopes else {name: []}
            if way not in found:
                found.append(way)
    if has_certificate:
        found += [{**way, MUTUAL_TLS: []} for way in found if way]
    if dpop is not None:
        proven = [
            # A scheme of `Authorization` itself gives way: the field has one.
            {name: way[name] for name in way if schemes.get(name, {}).get("type") != "http"} | {DPOP: []}
            for way in found
            if way
        ]
        found = [*([way for way in found if not way] if dpop.required else found), *proven]
    return found


def add_need(operation: MutableMapping[str, Any], rule: Rule | None) -> None:
    """Say in an operation's description what its rule asks for, roles and claims too.

    Args:
        operation: an Operation Object, which is changed.
        rule: what a token must fulfil; None where it is optional.
    """
    if rule not in (None, authenticated):
        need = f"Needs {rule.describe()}."
        given = operation.get("description")
        operation["description"] = f"{given}\n\n{need}" if given else need


# -- the refusals ----------------------------------------------------------------------------------------

_CHALLENGE = {"WWW-Authenticate": {"description": "What is needed (RFC 6750).", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "In how many seconds.", "schema": {"type": "integer"}}}
_REFUSALS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "401": (
        "Unauthorized",
        {"description": "There is no access token, or not one that is accepted.", "headers": _CHALLENGE},
    ),
    "403": (
        "Forbidden",
        {"description": "The access token does not reach this far.", "headers": _CHALLENGE},
    ),
    "429": (
        "TooManyRequests",
        {"description": "The key has signed too many proofs lately.", "headers": _CHALLENGE | _RETRY_AFTER},
    ),
    "503": (
        "ServiceUnavailable",
        {"description": "The access token cannot be checked just now.", "headers": _CHALLENGE | _RETRY_AFTER},
    ),
}


def refusals(
    rule: Rule | None,
    providers: Iterable[Provider],
    *,
    dpop: DPoP | None = None,
    content: Mapping[str, Any] | None = None,
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what an operation may answer in place of its own: for each status a name and the response.

    Args:
        rule: what a token must fulfil; None where it is optional.
        providers: whose tokens are accepted. Only keys that were given can always be had.
        dpop: how tokens that are bound to a key are taken: what notes proofs may be full.
        content: the body of every refusal, as `BaseGuard.refusal_content` has it.
    """
    possible = ["401"]
    if rule not in (None, authenticated):
        possible.append("403")
    if dpop is not None:
        possible.append("429")
    providers = tuple(providers)
    if dpop is not None or not providers or any(provider.key_set is None for provider in providers):
        possible.append("503")
    body = {"content": dict(content)} if content else {}
    return {status: (_REFUSALS[status][0], _REFUSALS[status][1] | body) for status in possible}


def put_refusals(
    responses: MutableMapping[Any, Any],
    components: MutableMapping[str, Any],
    own: Mapping[str, tuple[str, dict[str, Any]]],
    *,
    key: Callable[[str], Any] = str,
) -> None:
    """Add the answers of a guard to those of an operation, which come first.

    Args:
        responses: a Responses Object, which is changed.
        components: of the document, where each answer stands once.
        own: as `refusals` returns them.
        key: how the framework writes a status.
    """
    for status, (name, response) in own.items():
        if {status, key(status), f"{status[0]}XX"} & responses.keys():
            continue
        shared = components.setdefault("responses", {}).setdefault(name, response)
        # Where another guard of the document has bodies of its own, the answer stands where it belongs.
        is_shared = shared == response
        responses[key(status)] = {"$ref": f"#/components/responses/{name}"} if is_shared else response
