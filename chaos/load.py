"""Constant load on a protected API: mostly valid tokens, a few that must be refused, at a pace of its own.

A request leaves when its time has come, whether earlier ones were answered or not, so that a server which
stalls cannot slow the measurement down with itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

import httpx2

from bearerguard.testing import Issuer, SigningKey, signing_key
from chaos.accelerated_clock import AcceleratedClock

WARM = 40  # tokens of one key that are used again and again
FRESH = 0.1  # the share of valid requests whose token the server has never seen
RAMP = 1.5  # seconds in which the clients move to a new key: they keep a token until it expires
DAY = 86_400


@dataclass(frozen=True)
class Sent:
    """One request: what was expected, what came, how long it took."""

    valid: bool
    status: int  # 0: no answer at all
    seconds: float
    new_key: bool  # no request under this key had been answered when it left


class Tokens:
    """The tokens that the clients hold while the provider rotates its keys."""

    def __init__(self, issuer: str, rotations: int) -> None:
        self._issuer = Issuer(issuer, clock=AcceleratedClock())
        # Keys and most tokens are made before the first request, so that making them is not measured.
        keys = [signing_key("Ed25519" if number % 2 else "RSA") for number in range(rotations + 1)]
        self._warm = {key: [self._sign(key) for _ in range(WARM)] for key in keys}
        self._keys = iter(keys)
        self._stranger = signing_key("Ed25519")
        self.key = self.previous = self.new_key()
        self.proven: set[SigningKey] = set()
        self.junk_share = 0.0
        self._since = 0.0

    def new_key(self) -> SigningKey:
        """The provider's next key, which nobody has seen yet."""
        return next(self._keys)

    def move_to(self, key: SigningKey) -> None:
        """From now on clients that ask for a token get one signed with `key`."""
        self.previous, self.key = self.key, key
        self._since = time.monotonic()

    def drop_previous(self) -> None:
        """The last token under the previous key has expired."""
        self.previous = self.key

    def valid(self) -> tuple[SigningKey, str]:
        """A token that must be accepted."""
        moved = (time.monotonic() - self._since) / RAMP
        key = self.key if random.random() < moved else self.previous
        return key, self._sign(key) if random.random() < FRESH else random.choice(self._warm[key])

    def invalid(self) -> str:
        """A token that must be refused."""
        if random.random() < self.junk_share:
            return self._issuer.token(key=self._stranger, header={"kid": random.randbytes(8).hex()})
        bad = (self._issuer.expired, self._issuer.for_another_audience, self._issuer.forged)
        return random.choice(bad)(key=self.previous, alg=_algorithm(self.previous))

    def _sign(self, key: SigningKey) -> str:
        return self._issuer.token(key=key, alg=_algorithm(key), expires_in=DAY)


def _algorithm(key: SigningKey) -> str:
    return "RS256" if key.fits("RS256") else "Ed25519"


class Load:
    """Sends requests to `url` until stopped; `sent` has them all."""

    def __init__(self, url: str, tokens: Tokens, rate: float, *, invalid_share: float = 0.05) -> None:
        self.sent: list[Sent] = []
        self.rate = rate
        self.invalid_share = invalid_share
        self._url = url
        self._tokens = tokens
        self._stopped = False

    def stop(self) -> None:
        """Send no more; those under way are still awaited by `run`."""
        self._stopped = True

    async def run(self) -> None:
        """Send until stopped."""
        limits = httpx2.Limits(max_connections=512, max_keepalive_connections=512, keepalive_expiry=60)
        client = httpx2.AsyncClient(limits=limits, timeout=20, trust_env=False)
        async with client, asyncio.TaskGroup() as requests:
            due = time.perf_counter()
            while not self._stopped:
                requests.create_task(self._one(client))
                due += 1 / self.rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def _one(self, client: httpx2.AsyncClient) -> None:
        valid = random.random() >= self.invalid_share
        key = None
        if valid:
            key, token = self._tokens.valid()
        else:
            token = self._tokens.invalid()
        new_key = key is not None and key not in self._tokens.proven
        started = time.perf_counter()
        try:
            answer = await client.get(self._url, headers={"Authorization": f"Bearer {token}"})
            if valid and answer.status_code == 503 and answer.headers.get("retry-after") == "1":
                # Few threads of each worker wait for a key that it has not seen; the others are sent away.
                await asyncio.sleep(1)
                answer = await client.get(self._url, headers={"Authorization": f"Bearer {token}"})
            status = answer.status_code
        except httpx2.HTTPError:
            status = 0
        if status == 200 and key is not None:
            self._tokens.proven.add(key)
        self.sent.append(Sent(valid, status, time.perf_counter() - started, new_key))
