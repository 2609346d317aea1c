"""What a server can have proven of a token that is bound, from what it was given for that.

Only puts it together: proofs are checked in `_flows`, and noted in a store.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, cast

from bearerguard._core.credentials import BEARER, DPOP
from bearerguard._flows.binding import Binding
from bearerguard._limits import MIN_NONCE_SECRET_BYTES
from bearerguard.errors import ConfigurationError
from bearerguard.observe import warn_once

if TYPE_CHECKING:
    from bearerguard._flows.effects import SharedValues
    from bearerguard.certificate import ClientCertificate
    from bearerguard.dpop import DPoP
    from bearerguard.provider import Provider
    from bearerguard.stores.redis import RedisStore

_STRAY_PROOF = (
    "a client sends DPoP proofs with a token that is not bound to a key: they are ignored, and a thief could "
    "use the token; have the provider issue bound tokens, or require them with DPoP(required=True)"
)


def check_given(dpop: object, certificate: object, store: object = None) -> None:
    """Check what a server was given; the classes are loaded where one is.

    Raises:
        ConfigurationError: it is something else.
    """
    if dpop is not None:
        from bearerguard.dpop import DPoP  # noqa: PLC0415 - a server without DPoP does not load it

        if not isinstance(dpop, DPoP):
            raise ConfigurationError(f"dpop is a {type(dpop).__name__}: give DPoP().")
    if certificate is not None:
        from bearerguard.certificate import ClientCertificate  # noqa: PLC0415 - loaded where one is given

        if not isinstance(certificate, ClientCertificate):
            raise ConfigurationError(
                f"certificate is a {type(certificate).__name__}: give ClientCertificate.from_proxy(...) or "
                "ClientCertificate.from_tls()."
            )
    if store is not None:
        from bearerguard.stores.redis import RedisStore  # noqa: PLC0415 - redis-py is an extra

        if not isinstance(store, RedisStore):
            raise ConfigurationError(f"store is a {type(store).__name__}: give RedisStore(...).")


def values_of(store: RedisStore | None, providers: Iterable[Provider]) -> SharedValues | None:
    """Return where the processes of a fleet tell each other of keys and answers; None where they do not.

    Says so, once for each server, where a store cannot seal what there is to tell.
    """
    if store is None:
        return None
    is_there = any(one.introspection is not None or one.remote_keys is not None for one in providers)
    if is_there and store.values is None:
        lack = "a secret" if not store.is_sealing else "a sync client"
        warnings.warn(
            f"This RedisStore has not {lack}, so key sets and introspection answers are not shared, and each "
            "process asks for itself: "
            + (
                "give RedisStore(..., secret=...), the same in every process."
                if not store.is_sealing
                else "give RedisStore(client=...) as well, or a URL."
            ),
            UserWarning,
            stacklevel=3,
        )
    return store.values


def schemes_of(dpop: DPoP | None) -> tuple[str, ...]:
    """The authentication schemes by which tokens are taken."""
    if dpop is None:
        return (BEARER,)
    return (DPOP,) if dpop.required else (BEARER, DPOP)


def binding_of(
    dpop: DPoP | None,
    certificate: ClientCertificate | None,
    clock: Callable[[], float],
    store: RedisStore | None = None,
) -> Binding:
    """Return what checks that a token is its presenter's.

    Raises:
        ConfigurationError: proofs are noted where a fleet does, and their nonces are of this process only.
    """
    if dpop is None:
        return Binding(certificate=certificate)
    from bearerguard._flows.proof_checks import ProofChecks  # noqa: PLC0415 - a server without DPoP does not load it
    from bearerguard.stores.memory import MemoryReplayStore  # noqa: PLC0415 - a server without DPoP keeps no proofs

    if store is not None and dpop.nonce is True:
        raise ConfigurationError(
            "DPoP(nonce=True) makes a secret of this process only, and no other process that shares the "
            "store would take its nonces: write DPoP(nonce=secret), with the same secret in every process."
        )
    secret = os.urandom(MIN_NONCE_SECRET_BYTES) if dpop.nonce is True else cast("bytes | None", dpop.nonce)
    noted = MemoryReplayStore(clock) if store is None else store.replays
    proofs = ProofChecks(dpop, secret, noted, partial(warn_once, _STRAY_PROOF))
    return Binding(proofs, certificate)
