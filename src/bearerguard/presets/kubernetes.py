"""Service accounts of a Kubernetes cluster, also for an API that runs within it.

Facts from Kubernetes' "Managing Service Accounts", "Configure Service Accounts for Pods" ("Service account
issuer discovery") and "Accessing the Kubernetes API from a Pod", as known on 2026-11-28, without reading them
anew: the API server publishes its keys at `/openid/v1/jwks`, as `application/jwk-set+json`, to those who show
a token; in a pod the cluster's CA and a token that the kubelet replaces stand in files.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bearerguard.presets._inputs import names, provider, refuse
from bearerguard.provider import Profile, Provider, RemoteKeys

__all__ = ["kubernetes"]

_PROFILE = Profile("SERVICE_ACCOUNT", frozenset({None, "jwt"}), ("sub", "iat"))
_API_SERVERS = re.compile(r"(?:https://)?kubernetes\.default(?:\.svc(?:\.cluster\.local)?)?/?")
"""Audiences of the API server itself, by its usual names."""


def kubernetes(
    audience: str | Iterable[str],
    *,
    issuer: str | None = None,
    directory: str | os.PathLike[str] = "/var/run/secrets/kubernetes.io/serviceaccount",
    **options: Any,
) -> Provider:
    """Kubernetes: projected tokens of service accounts.

    In a pod it takes the issuer from the pod's own token, and fetches keys from the API server, with the
    cluster's CA and the pod's token, which is read anew each time and sent nowhere else. With the `issuer` of
    another cluster, keys are discovered from that, without any token.

    Args:
        audience: the `audience` of the projected volume, or of `kubectl create token`.
        issuer: the cluster's `--service-account-issuer`; required outside a cluster.
        directory: where the pod's files `token` and `ca.crt` are, if not where Kubernetes puts them.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: outside a cluster without an issuer, files that cannot be read, or the audience of
            the API server.

    Examples:
        ```python
        kubernetes("https://orders.shop.example")  # in a pod
        kubernetes("https://orders.shop.example", issuer="https://oidc.example")  # elsewhere
        ```
    """
    for name in names(audience):
        if _API_SERVERS.fullmatch(name):
            refuse(
                "kubernetes",
                f"audience is {name!r}, the API server's: the token that every pod has names it, and opens "
                "the cluster's API. Write an audience of this API, and have callers project a token for that",
            )
    files = Path(directory)
    server = _api_server()
    own = _own_issuer(files) if server is not None and (files / "token").is_file() else None
    if issuer is None and own is None:
        refuse(
            "kubernetes",
            f"issuer is left out, and this is not a pod: there is no token in {str(files)!r} or no "
            "KUBERNETES_SERVICE_HOST. Write issuer=, as `kubectl get --raw "
            "/.well-known/openid-configuration` shows it",
        )
    settings: dict[str, Any] = {"issuer": issuer or own, "audience": audience, "profile": _PROFILE}
    if server is not None and own is not None and issuer in (None, own):
        authority = files / "ca.crt"
        if not authority.is_file():
            refuse("kubernetes", f"there is no 'ca.crt' in {str(files)!r}: mount the cluster's CA there")
        settings["keys"] = RemoteKeys(
            f"{server}/openid/v1/jwks",
            http_options={"verify": str(authority), "trust_env": False, "auth": _pods_token(files, server)},
        )
    return provider(settings, options)


def _api_server() -> str | None:
    """The address of the API server, as Kubernetes tells it to each pod."""
    name, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not name:
        return None
    shown = f"[{name}]" if ":" in name else name
    return f"https://{shown}" if port == "443" else f"https://{shown}:{port}"


def _own_issuer(files: Path) -> str:
    """The `iss` of the pod's own token: a file of the configuration, which nobody else can write."""
    try:
        payload = (files / "token").read_bytes().strip().split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        issuer = claims["iss"]
    except (OSError, ValueError, IndexError, KeyError, TypeError) as problem:
        refuse(
            "kubernetes",
            f"the token in {str(files)!r} cannot be read ({type(problem).__name__}): write issuer=, or "
            "directory= where the pod's files are",
        )
    return str(issuer)


def _pods_token(files: Path, server: str) -> Callable[[Any], Any]:
    """Return what puts the pod's token into a request: as it is at that time, and for the API server only."""
    origin = urlsplit(server)

    def authorize(request: Any) -> Any:
        url = urlsplit(str(request.url))
        if (url.scheme, url.netloc) == (origin.scheme, origin.netloc):
            token = (files / "token").read_text("ascii").strip()
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize
