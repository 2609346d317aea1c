"""Is a cluster's API server asked as it wants to be, and does the pod's token stay with it?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bearerguard import ConfigurationError, ProviderUnavailable, ResourceServer
from bearerguard.presets import kubernetes
from bearerguard.testing import Issuer
from tests.presets.kubernetes_server import ApiServer

AUDIENCE = "https://orders.shop.example"


class Pod:
    """A pod: the files that the kubelet mounts, and an API server at the address in its environment."""

    def __init__(self, directory: Path, cluster: Issuer, api: ApiServer) -> None:
        self.directory = directory
        self.cluster = cluster
        self.api = api

    def show(self, token: str) -> None:
        """Have the kubelet replace the pod's token."""
        (self.directory / "token").write_text(f"{token}\n")
        self.api.tokens = {token}


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    cluster = Issuer.like("kubernetes")
    with ApiServer(cluster, tmp_path).running() as api:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
        pod = Pod(tmp_path, cluster, api)
        pod.show(cluster.token("web"))
        yield pod


def test_in_a_pod_nothing_has_to_be_said_but_the_audience(pod: Pod) -> None:
    provider = kubernetes(AUDIENCE, directory=pod.directory)
    assert provider.issuer == "https://kubernetes.default.svc.cluster.local"
    server = ResourceServer(provider, clock=pod.cluster.clock)
    token = server.verify(pod.cluster.token("web"))
    assert token.subject == "system:serviceaccount:shop:web"
    assert len(pod.api.shown) == 1
    assert "application/jwk-set+json" in pod.api.accepted[0]


def test_a_token_that_was_replaced_is_read_anew(pod: Pod) -> None:
    server = ResourceServer(kubernetes(AUDIENCE, directory=pod.directory), clock=pod.cluster.clock)
    pod.show("second")
    assert server.verify(pod.cluster.token("web")).subject is not None
    pod.cluster.rotate()
    pod.show("third")
    pod.cluster.clock.advance(60)
    assert server.verify(pod.cluster.token("web")).subject is not None
    assert pod.api.shown == ["Bearer second", "Bearer third"]


def test_the_same_issuer_may_be_said(pod: Pod) -> None:
    provider = kubernetes(AUDIENCE, directory=pod.directory, issuer=pod.cluster.url)
    assert provider.remote_keys is not None
    assert provider.remote_keys.url == f"https://127.0.0.1:{pod.api.port}/openid/v1/jwks"


def test_the_issuer_of_another_cluster_gets_no_token(pod: Pod) -> None:
    provider = kubernetes(AUDIENCE, directory=pod.directory, issuer="https://oidc.other.example")
    assert provider.remote_keys is not None
    assert (provider.remote_keys.url, dict(provider.remote_keys.http_options)) == (None, {})


def test_the_pods_token_goes_to_no_other_origin(pod: Pod) -> None:
    remote = kubernetes(AUDIENCE, directory=pod.directory).remote_keys
    assert remote is not None
    authorize = remote.http_options["auth"]
    for other in (
        f"http://127.0.0.1:{pod.api.port}/openid/v1/jwks",
        "https://127.0.0.1/openid/v1/jwks",
        f"https://localhost:{pod.api.port}/openid/v1/jwks",
        "https://oidc.other.example/keys",
    ):
        assert "authorization" not in authorize(httpx2.Request("GET", other)).headers
    own: Any = authorize(httpx2.Request("GET", f"https://127.0.0.1:{pod.api.port}/openid/v1/jwks"))
    assert own.headers["authorization"] == f"Bearer {(pod.directory / 'token').read_text().strip()}"


def test_a_server_that_the_clusters_ca_does_not_vouch_for_is_not_told_the_token(pod: Pod) -> None:
    elsewhere = pod.directory / "other"
    elsewhere.mkdir()
    ApiServer(pod.cluster, elsewhere).certified()
    (elsewhere / "token").write_text((pod.directory / "token").read_text())
    other = ResourceServer(kubernetes(AUDIENCE, directory=elsewhere), clock=pod.cluster.clock)
    with pytest.raises(ProviderUnavailable):
        other.verify(pod.cluster.token("web"))
    assert pod.api.shown == []


def test_the_address_of_the_api_server_may_be_of_ipv6_and_of_the_usual_port(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    remote = kubernetes(AUDIENCE, directory=pod.directory).remote_keys
    assert remote is not None
    assert remote.url == "https://[fd00::1]/openid/v1/jwks"


@pytest.mark.parametrize("token", ["", "a.b", "a.!.c", "a.e30.c", "a.W10.c"])
def test_a_token_that_cannot_be_read_is_told(pod: Pod, token: str) -> None:
    pod.show(token)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        kubernetes(AUDIENCE, directory=pod.directory)


def test_without_the_clusters_ca_nothing_is_built(pod: Pod) -> None:
    (pod.directory / "ca.crt").unlink()
    with pytest.raises(ConfigurationError, match=r"there is no 'ca\.crt'"):
        kubernetes(AUDIENCE, directory=pod.directory)


def test_outside_a_cluster_the_issuer_is_needed(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(ConfigurationError, match="this is not a pod"):
        kubernetes(AUDIENCE, directory=pod.directory)
    assert kubernetes(AUDIENCE, issuer="https://oidc.example").remote_keys is not None
