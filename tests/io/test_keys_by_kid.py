"""Keys at an address each: fetched when they are named, kept, and few at a time that nobody has seen."""

from __future__ import annotations

import uuid
from typing import Any

import anyio
import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearerguard import InvalidToken, Provider, ProviderUnavailable, RemoteKeys, ResourceServer
from bearerguard._limits import KEYS_BY_KID_A_MINUTE, NEW_KEYS_BY_KID
from bearerguard.testing import Clock, Issuer

PATTERN = "[A-Za-z0-9-]{1,80}"


class Bucket(httpx2.BaseTransport):
    """Has the public key of an issuer under its id, and answers 403 for all others, or what it is told."""

    def __init__(self, issuer: Issuer) -> None:
        public: Any = issuer.signing_key.private.public_key()  # type: ignore[union-attr]  # not a secret
        self.kid = issuer.signing_key.kid
        self.pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.asked: list[str] = []
        self.status: int | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path.rpartition("/")[2])
        if self.status is not None:
            return httpx2.Response(self.status)
        if self.asked[-1] == self.kid:
            return httpx2.Response(200, content=self.pem)
        return httpx2.Response(403, content=b"<Error/>")


class Setting:
    def __init__(self) -> None:
        self.clock = Clock(1_700_000_000)
        self.issuer = Issuer(algorithm="ES256", clock=self.clock)
        self.bucket = Bucket(self.issuer)
        keys = RemoteKeys(
            "https://keys.test/{kid}", kid_pattern=PATTERN, http_options={"transport": self.bucket}
        )
        provider = Provider(self.issuer.url, audience=self.issuer.audience, keys=keys)
        self.server = ResourceServer(provider, clock=self.clock)

    def junk(self) -> str:
        return self.issuer.token(header={"kid": str(uuid.uuid4())})

    def health(self) -> dict[str, Any]:
        report: dict[str, Any] = self.server.health()["providers"][self.issuer.url]
        return report


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_key_is_fetched_once_when_a_token_names_it(setting: Setting) -> None:
    assert setting.health()["state"] == "none"
    for _ in range(3):
        assert setting.server.verify(setting.issuer.token("ada")).subject == "ada"
    assert setting.bucket.asked == [setting.bucket.kid]
    assert setting.health()["state"] == "fresh"
    assert setting.health()["kids"] == [setting.bucket.kid]


def test_an_unknown_key_id_is_asked_for_once_and_refused(setting: Setting) -> None:
    token = setting.junk()
    for _ in range(3):
        with pytest.raises(InvalidToken) as refused:
            setting.server.verify(token)
        assert refused.value.reason == "unknown_key"
    assert len(setting.bucket.asked) == 1


def test_a_flood_of_key_ids_causes_few_fetches_and_hurts_no_known_key(setting: Setting) -> None:
    setting.server.verify(setting.issuer.token())
    reasons = set()
    for _ in range(NEW_KEYS_BY_KID * 2):
        with pytest.raises((InvalidToken, ProviderUnavailable)) as refused:
            setting.server.verify(setting.junk())
        reasons.add(refused.value.reason)
    assert reasons == {"unknown_key", "provider_unavailable"}
    assert len(setting.bucket.asked) == KEYS_BY_KID_A_MINUTE
    assert setting.server.verify(setting.issuer.token("ada")).subject == "ada"
    setting.clock.advance(61)
    with pytest.raises(InvalidToken):
        setting.server.verify(setting.junk())


def test_trouble_of_the_provider_is_not_a_bad_token(setting: Setting) -> None:
    setting.bucket.status = 500
    with pytest.raises(ProviderUnavailable):
        setting.server.verify(setting.issuer.token())
    setting.bucket.status = None
    setting.clock.advance(5)
    assert setting.server.verify(setting.issuer.token("ada")).subject == "ada"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_wait_for_a_key_as_threads_do(setting: Setting, backend: str) -> None:
    token = anyio.run(setting.server.averify, setting.issuer.token("ada"), backend=backend)
    assert token.subject == "ada"


def test_warm_up_and_snapshot_leave_such_keys_out_and_close_ends_them(setting: Setting) -> None:
    setting.server.warm_up()
    setting.server.verify(setting.issuer.token())
    assert setting.server.snapshot()["providers"] == {}
    setting.server.close()
    assert setting.bucket.asked == [setting.bucket.kid]
