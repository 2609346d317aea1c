"""Why a token is accepted or refused: `server.explain(token)` returns an `Explanation`.

It runs the server's own pipeline and makes no check of its own: from the one outcome it says how far the
token came, what was found and what was configured, and what people in this situation mostly have done. It
spends, remembers and logs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bearerguard.explain.explanation import Check, Explanation

__all__ = ["Check", "Explanation"]


def __getattr__(name: str) -> Any:
    """A name that is looked up only where somebody asks: a server that explains nothing loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bearerguard.explain import explanation  # noqa: PLC0415 - as said above

    return getattr(explanation, name)
