"""The checks of what a `Provider` says of issuers that are not one exact text, or that no token names.

As `_checks`: each takes what was given and returns it in its one form, or raises `Problem`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from bearerguard._core.issuer_template import IssuerTemplate, has_place, is_tenant, template_of
from bearerguard.provider._checks import Problem, checked_issuer, names_in

Tenants = tuple[str, ...] | Callable[[str], bool]


def checked_template(issuer: str | None, tenants: Any) -> IssuerTemplate | None:
    """The template of an issuer with a place for the tenant; None for any other issuer."""
    if issuer is None or not has_place(issuer):
        if tenants is not None:
            raise Problem(
                "tenants is given, but the issuer has no place for one: write it as "
                "'https://login.example/{tid}/v2.0', where tid is the claim that has the tenant; or leave "
                "tenants out"
            )
        return None
    template = template_of(issuer)
    if template is None:
        raise Problem(
            f"issuer is {issuer!r:.200}, with braces in it: write it with one place, and in that the claim "
            "that has the tenant, as 'https://login.example/{tid}/v2.0'; or without braces"
        )
    if tenants is None:
        raise Problem(
            f"issuer is {issuer!r:.200}, with a place for the tenant, but tenants is left out: give a list "
            "of tenants to trust, or a function that says whether it trusts one. Without it, anybody could "
            "get a tenant of their own, and with it into this API"
        )
    return template


def checked_tenants(tenants: Any) -> Tenants | None:
    """Which tenants are trusted: their names, or a function that is asked about each."""
    if tenants is None:
        return None
    if callable(tenants):
        if inspect.iscoroutinefunction(tenants) or inspect.iscoroutinefunction(
            getattr(tenants, "__call__", None)  # noqa: B004 - of an object with an `async def __call__`
        ):
            raise Problem(
                "tenants is an async function: give a plain one that returns True or False from what is in "
                "memory; ResourceServer.trusting takes one that asks elsewhere"
            )
        return tenants  # type: ignore[no-any-return]  # what it returns is looked at where it is asked
    names = names_in(tenants)
    if not names:
        raise Problem("tenants is empty: name the tenants to trust, or give a function")
    odd = next((name for name in names if not is_tenant(name)), None)
    if odd is not None:
        raise Problem(
            f"tenants has {odd!r:.80}: give the tenants as their tokens have them, in letters, digits, '.', "
            "'_' and '-'; there is no way to trust them all"
        )
    return names


def checked_aliases(aliases: Any, issuer: str | None) -> tuple[str, ...]:
    """Other texts that its tokens may have as `iss`."""
    names = names_in(aliases)
    if aliases and not names:
        raise Problem("issuer_aliases has something other than text: give the exact 'iss' values")
    if names and (issuer is None or has_place(issuer)):
        raise Problem("issuer_aliases is given without one exact issuer: give that first")
    for name in names:
        checked_issuer(name, accept_any=False)
        if has_place(name):
            raise Problem(f"issuer_aliases has {name!r:.200}, with braces in it: write it without")
    return tuple(name for name in dict.fromkeys(names) if name != issuer)


_TRUST_DOMAIN = r"[a-z0-9._-]{1,255}"
_ARN = r"arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]+:\d{12}:\S{1,512}"


def checked_trust_domain(domain: Any, issuer: Any) -> str | None:
    """The SPIFFE trust domain that takes the place of an issuer (SPIFFE ID, section 2.1)."""
    if domain is None:
        return None
    if issuer is not None:
        raise Problem("issuer= and trust_domain= exclude each other: a JWT-SVID is told by its sub alone")
    if not isinstance(domain, str) or not re.fullmatch(_TRUST_DOMAIN, domain):
        raise Problem(
            f"trust_domain is {domain!r:.200}: write its name in lower case, without 'spiffe://' and without "
            "a path, as 'prod.example'"
        )
    return domain


def checked_signer(signer: Any, issuer: Any, audience: Any) -> str | None:
    """The ARN in a header's `signer`, which takes the place of issuer and audience."""
    if signer is None:
        return None
    if issuer is not None or audience is not None:
        given = "audience=" if issuer is None else "issuer="
        raise Problem(
            f"{given} and signer= exclude each other: the load balancer's ARN says whose token it is "
            "and whom it is for"
        )
    if not isinstance(signer, str) or not re.fullmatch(_ARN, signer):
        raise Problem(
            f"signer is {signer!r:.200}: give the whole ARN, as "
            "'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/name/0123456789abcdef'"
        )
    return signer


def checked_key_use(use: Any) -> str:
    """The `use` of the keys to read (RFC 7517, section 4.2)."""
    if not isinstance(use, str) or not use or use == "enc":
        raise Problem("key_use is not the use of keys that sign: leave it out, or write 'jwt-svid'")
    return use


def checked_roles_paths(given: Any, checked_path: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """The paths in which roles stand: one, or a list of several, each a list of keys."""
    is_several = (
        isinstance(given, list | tuple) and given and all(isinstance(one, list | tuple) for one in given)
    )
    several: Iterable[Any] = given if is_several else (given,)
    return tuple(checked_path("roles_claim", one) for one in several)
