"""Jobs of GitHub Actions and GitLab CI/CD, which get a token for an audience of their choice.

Facts from GitHub's "OpenID Connect reference" and GitLab's "OpenID Connect (OIDC) Authentication Using ID
Tokens", of which excerpts were read on 2026-11-28: any job of any repository or project of the world may ask
for any audience. So an audience alone lets all of them in, and a pin is required that names a repository, a
project or who owns it. An environment is not a pin: everybody may call one of theirs `production`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import base_url, flag, names, provider, refuse
from bearerguard.provider import Profile, Provider

__all__ = ["github_actions", "gitlab_ci"]

_PROFILE = Profile("CI_JOB", frozenset({None, "jwt"}), ("sub", "iat"))
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_OWNER = re.compile(r"[A-Za-z0-9-]+")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_NUMBER = re.compile(r"\d{1,20}")

Pin = str | int | Iterable[str]
"""One value, or several of which one has to be there."""


def github_actions(
    audience: str | Iterable[str],
    *,
    repository: Pin | None = None,
    repository_id: Pin | None = None,
    repository_owner: Pin | None = None,
    repository_owner_id: Pin | None = None,
    environment: Pin | None = None,
    ref: Pin | None = None,
    job_workflow_ref: Pin | None = None,
    server: str | None = None,
    **options: Any,
) -> Provider:
    """GitHub Actions: tokens of jobs.

    Args:
        audience: what the workflow asks a token for; the API's address is a good one.
        repository: `"shop/orders"`. Of these four at least one has to be given.
        repository_id: its number, which stays when the repository is renamed and is never given to another.
        repository_owner: whose it is, `"shop"`.
        repository_owner_id: the number of that account.
        environment: of which environment the job is; no pin by itself.
        ref: of which branch or tag, `"refs/heads/main"`; no pin by itself.
        job_workflow_ref: of which workflow file, `"shop/flows/.github/workflows/deploy.yml@refs/heads/main"`;
            no pin by itself, as any repository may call a workflow that is public.
        server: the address of a GitHub Enterprise Server.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: no pin, or one that no token has.

    Examples:
        >>> github_actions("https://api.shop.example", repository="shop/orders").required_claims["repository"]
        ('shop/orders',)
    """
    pins = {
        "repository": _pins("github_actions", "repository", repository, _REPOSITORY, "shop/orders"),
        "repository_id": _pins("github_actions", "repository_id", repository_id, _NUMBER, "123456789"),
        "repository_owner": _pins("github_actions", "repository_owner", repository_owner, _OWNER, "shop"),
        "repository_owner_id": _pins(
            "github_actions", "repository_owner_id", repository_owner_id, _NUMBER, "1234567"
        ),
    }
    if not any(pins.values()):
        refuse(
            "github_actions",
            "nothing says which repository may come in, and every one on GitHub can get a token for this "
            "audience: give repository=, repository_id=, repository_owner= or repository_owner_id=",
        )
    pins |= {
        "environment": _pins("github_actions", "environment", environment, None, "production"),
        "ref": _pins("github_actions", "ref", ref, re.compile(r"refs/.+"), "refs/heads/main"),
        "job_workflow_ref": _pins(
            "github_actions",
            "job_workflow_ref",
            job_workflow_ref,
            re.compile(r"[^@]+\.ya?ml@.+"),
            "shop/flows/.github/workflows/deploy.yml@refs/heads/main",
        ),
    }
    issuer = "https://token.actions.githubusercontent.com"
    if server is not None:
        issuer = (
            f"{base_url('github_actions', 'server', server, 'https://github.shop.example')}/_services/token"
        )
    return _of_jobs(issuer, audience, pins, options)


def gitlab_ci(
    audience: str | Iterable[str],
    *,
    project_path: Pin | None = None,
    project_id: Pin | None = None,
    namespace_path: Pin | None = None,
    namespace_id: Pin | None = None,
    environment: Pin | None = None,
    ref: Pin | None = None,
    ref_type: Pin | None = None,
    protected_refs_only: bool = False,
    server: str = "https://gitlab.com",
    **options: Any,
) -> Provider:
    """GitLab CI/CD: ID tokens of jobs.

    Args:
        audience: the `aud` that the job's `id_tokens` names.
        project_path: `"shop/orders"`. Of these four at least one has to be given.
        project_id: its number, which stays when the project moves.
        namespace_path: the group or user, `"shop"`.
        namespace_id: its number.
        environment: of which environment the job is; no pin by itself.
        ref: of which branch or tag, `"main"`; no pin by itself.
        ref_type: `"branch"` or `"tag"`.
        protected_refs_only: only jobs of protected branches and tags (`ref_protected`).
        server: the address of the instance.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: no pin, or one that no token has.

    Examples:
        >>> gitlab_ci("https://api.shop.example", project_path="shop/orders").issuer
        'https://gitlab.com'
    """
    pins = {
        "project_path": _pins("gitlab_ci", "project_path", project_path, _PATH, "shop/orders"),
        "project_id": _pins("gitlab_ci", "project_id", project_id, _NUMBER, "12345678"),
        "namespace_path": _pins("gitlab_ci", "namespace_path", namespace_path, _PATH, "shop"),
        "namespace_id": _pins("gitlab_ci", "namespace_id", namespace_id, _NUMBER, "1234567"),
    }
    if not any(pins.values()):
        refuse(
            "gitlab_ci",
            "nothing says which project may come in, and every one of the instance can get a token for this "
            "audience: give project_path=, project_id=, namespace_path= or namespace_id=",
        )
    pins |= {
        "environment": _pins("gitlab_ci", "environment", environment, None, "production"),
        "ref": _pins("gitlab_ci", "ref", ref, re.compile(r"(?!refs/).+"), "main"),
        "ref_type": _pins("gitlab_ci", "ref_type", ref_type, re.compile("branch|tag"), "branch"),
        "ref_protected": ("true",) if flag("gitlab_ci", "protected_refs_only", protected_refs_only) else (),
    }
    issuer = base_url("gitlab_ci", "server", server, "https://gitlab.shop.example")
    return _of_jobs(issuer, audience, pins, options)


def _of_jobs(
    issuer: str, audience: Any, pins: dict[str, tuple[str, ...]], options: dict[str, Any]
) -> Provider:
    settings = {
        "issuer": issuer,
        "audience": audience,
        "algorithms": "RS256",
        "profile": _PROFILE,
        "required_claims": {claim: values for claim, values in pins.items() if values},
    }
    return provider(settings, options)


def _pins(
    preset: str, claim: str, given: Any, pattern: re.Pattern[str] | None, example: str
) -> tuple[str, ...]:
    """The values of a claim, as tokens have them: always text, and without the address of the server."""
    if given is None:
        return ()
    if given.__class__ is int:
        given = str(given)
    values = tuple(_bare(value) for value in names(given))
    if not values or not all(values):
        refuse(preset, f"{claim} is empty or not text: write it as {example!r}, or leave it out")
    for value in values:
        if value != value.strip():
            refuse(preset, f"{claim} is {value!r:.200}, with white space around it: write it without")
        if "*" in value:
            refuse(preset, f"{claim} is {value!r:.200}: it is compared as it is, so write it without '*'")
        if pattern is not None and not pattern.fullmatch(value):
            refuse(preset, f"{claim} is {value!r:.200}: write it as {example!r}")
    return values


def _bare(value: str) -> str:
    """A repository or project, also where its page's address is given."""
    found = re.fullmatch(r"https://[^/]+/(?P<path>[^?#]+?)(?:\.git)?/?", value)
    return value if found is None else found["path"]
