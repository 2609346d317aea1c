"""bearerguard with tokens that are bound to a key, beside bearer tokens and the bare check of a proof."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from itertools import count
from operator import getitem
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bearerguard import DPoP, Request, Revocation
from bearerguard.testing import Issuer, SigningKey
from bearerguard.testing.signing_keys import compact
from bench import floor
from bench.cases import Case, Cases, loop, rotating
from bench.material import Material
from bench.requests import OTHER_HEADERS

ADDRESS = "https://orders.example/v1/orders"
YEAR = 365 * 24 * 3600
POOL = 512
_numbers = count()


def asked(authorization: str, *proofs: str) -> Request:
    """A request as a program describes it, with the fields that a browser sends too."""
    fields = [*OTHER_HEADERS, (b"authorization", authorization.encode())]
    return Request("GET", ADDRESS, [*fields, *((b"dpop", proof.encode()) for proof in proofs)])


class Hand:
    """The hand of a clock that is read as quickly as `time.time`; the kit's own takes a lock each time."""

    def __init__(self, issuer: Issuer) -> None:
        self._clock = issuer.clock
        self._shown = [issuer.clock()]
        self.clock: Callable[[], float] = partial(getitem, self._shown, 0)

    def advance(self, seconds: float) -> None:
        """Move it, and the issuer's clock."""
        self._clock.advance(seconds)
        self._shown[0] = self._clock()


class Client:
    """A client of one issuer whose proofs are made before the timing begins.

    For each batch the clock goes on by two minutes, or the store would have too many proofs of its key.
    """

    def __init__(self, issuer: Issuer, hand: Hand) -> None:
        self._hand = hand
        self._auth = issuer.client(dpop=True, expires_in=YEAR)
        assert self._auth.key is not None
        self.key: SigningKey = self._auth.key
        self.token = self._auth.token

    def proofs(self, length: int) -> list[str]:
        """Proofs of a key that the server has seen."""
        self._hand.advance(120)
        return [self._auth.proof("GET", ADDRESS) for _ in range(length)]

    def requests(self, length: int) -> list[Request]:
        """Requests with such proofs."""
        return [asked(f"DPoP {self.token}", proof) for proof in self.proofs(length)]

    def requests_of_new_keys(self, length: int) -> list[Request]:
        """Requests whose proofs have a header that was never seen, so that its key has to be read."""
        return [asked(f"DPoP {self.token}", self._with_new_header(proof)) for proof in self.proofs(length)]

    def _with_new_header(self, proof: str) -> str:
        header, payload, _ = proof.split(".")
        members = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        said = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return compact({**members, "number": next(_numbers)}, said, self.key, "ES256")


def check_with_import(batch: Sequence[tuple[dict[str, str], floor.Signed]]) -> None:
    """What a proof takes at least whose key has to be read: the key, its thumbprint, the signature."""
    ecdsa, curve, number = ec.ECDSA(hashes.SHA256()), ec.SECP256R1(), int.from_bytes
    for jwk, (message, signature) in batch:
        x, y = (urlsafe_b64decode(jwk[name] + "=") for name in ("x", "y"))
        key = ec.EllipticCurvePublicNumbers(number(x, "big"), number(y, "big"), curve).public_key()
        sha256(json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}).encode()).digest()
        der = encode_dss_signature(number(signature[:32], "big"), number(signature[32:], "big"))
        key.verify(der, message, ecdsa)


def cases(material: Material, url: str) -> Cases:
    """A token seen before: as Bearer, with a proof of a key seen before, and with one of a new key.

    As Bearer also where DPoP is taken too, and where a thousand subjects' tokens were taken back.
    """
    del material, url  # its tokens do not live long enough, and it has no keys of clients
    issuer = Issuer(algorithm="ES256")
    hand = Hand(issuer)
    keys, clock = issuer.jwks(), hand.clock
    without = issuer.resource_server(keys=keys, clock=clock)
    server = issuer.resource_server(keys=keys, clock=clock, dpop=DPoP())
    taking_back = issuer.resource_server(keys=keys, clock=clock, revocation=Revocation(horizon=YEAR))
    for number in range(1000):
        taking_back.revoke(subject=f"somebody-{number}")
    client, token = Client(issuer, hand), issuer.token(expires_in=YEAR)
    private = client.key.private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    public = private.public_key()
    bare = [floor.signed(proof) for proof in client.proofs(POOL)]
    jwk = client.key.public_jwk()

    def repeated(authenticate: Callable[[Request], Any]) -> Case:
        run = loop(authenticate)
        run([asked(f"Bearer {token}")] * 2)
        return Case(run, lambda length: [asked(f"Bearer {token}") for _ in range(length)])

    prove = loop(server.authenticate)
    prove(client.requests(2))
    return {
        "Bearer": repeated(without.authenticate),
        "Bearer where DPoP is taken": repeated(server.authenticate),
        "Bearer where tokens are taken back": repeated(taking_back.authenticate),
        "DPoP": Case(prove, client.requests),
        "DPoP, new key": Case(prove, client.requests_of_new_keys),
        "ES256": Case(floor.run("ES256", public), rotating(bare)),
        "ES256, new key": Case(check_with_import, rotating([(jwk, one) for one in bare])),
    }
