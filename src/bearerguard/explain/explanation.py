"""`Explanation` and `Check`: what is said about a token, as values, as text and as JSON.

They hold no token and no secret: values out of a token are bounded, on one line, and escaped.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Check", "Explanation"]

Outcome = Literal["yes", "no", "not reached"]


class Check(msgspec.Struct, frozen=True):
    """One check, in the order in which they are made.

    Attributes:
        name: such as `issuer`, `signature` or `audience`.
        outcome: `yes`, `no`, or `not reached`, where an earlier check has failed.
        found: what the token or the request says; marked `(claimed)` where nothing of the token is verified.
        expected: what is configured.
    """

    name: str
    outcome: Outcome
    found: str | None = None
    expected: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Why a token, or a request, is accepted or refused. `str()` of it is a report for people.

    Attributes:
        accepted: whether it is.
        reason: of the refusal, as `AuthError.reason`; None where it is accepted.
        checks: every check that applies, in its order; at most one says `no`.
        cause: what has probably happened, in one sentence; None where nothing usual was recognized.
        advice: what to do about it.
    """

    accepted: bool
    reason: str | None
    checks: tuple[Check, ...]
    cause: str | None = None
    advice: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dumps`."""
        checks = [
            {"name": one.name, "outcome": one.outcome, "found": one.found, "expected": one.expected}
            for one in self.checks
        ]
        return {
            "accepted": self.accepted,
            "reason": self.reason,
            "checks": checks,
            "cause": self.cause,
            "advice": self.advice,
        }

    def __str__(self) -> str:
        lines = ["accepted" if self.accepted else f"refused: {self.reason}"]
        if self.cause is not None:
            lines += ["", f"cause:  {self.cause}"]
        if self.advice is not None:
            lines += ["", f"advice: {self.advice}"] if self.cause is None else [f"advice: {self.advice}"]
        lines.append("")
        for one in self.checks:
            lines.append(f"{one.outcome:<11}  {one.name}")
            if one.outcome != "not reached":
                if one.found is not None:
                    lines.append(_indented("found", one.found))
                if one.expected is not None and one.outcome == "no":
                    lines.append(_indented("expected", one.expected))
        return "\n".join(line.rstrip() for line in lines)


def _indented(what: str, text: str) -> str:
    first, *others = text.splitlines() or [""]
    return "\n".join([f"{'':13}{what + ':':<10}{first}", *(f"{'':23}{line}" for line in others)])
