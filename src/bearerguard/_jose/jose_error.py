"""`JoseError`: why a signed text cannot be read. The caller adds what the text was for."""

from __future__ import annotations


class JoseError(Exception):
    """A text is not a signed text that is understood here.

    Attributes:
        reason: a stable code: `malformed`, `encrypted`, `critical` or `type`.

    Examples:
        >>> JoseError("malformed", "'s kid is not a string").said_of("The proof")
        "The proof's kid is not a string."
    """

    def __init__(self, reason: str, predicate: str) -> None:
        super().__init__(predicate)
        self.reason = reason
        self._predicate = predicate

    def said_of(self, subject: str) -> str:
        """Return the whole sentence, about `subject`."""
        return f"{subject}{self._predicate}."
