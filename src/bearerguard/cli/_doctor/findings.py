"""What `doctor` finds, as values: how bad it is, what it is about, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

__all__ = ["Finding", "Level", "Section", "status_of", "to_dict"]

Level = Literal["ok", "note", "warning", "error"]
_STATUS: dict[Level, int] = {"ok": 0, "note": 0, "warning": 1, "error": 2}


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        level: `ok`; `note` for what is worth knowing; `warning` for what may hurt one day or weakens the API;
            `error` for what keeps good tokens out.
        about: a word or two.
        found: a sentence without anything secret, on one line.
        advice: what to do about it.
    """

    level: Level
    about: str
    found: str
    advice: str | None = None


class Section(NamedTuple):
    """What was found about one provider, or about the server itself."""

    title: str
    findings: tuple[Finding, ...]


def status_of(sections: Iterable[Section]) -> int:
    """Return the exit status: 0 where there is nothing to do, 1 for warnings, 2 for errors."""
    return max((_STATUS[finding.level] for section in sections for finding in section.findings), default=0)


def to_dict(sections: tuple[Section, ...]) -> dict[str, Any]:
    """Return plain values, ready for `json.dumps`."""
    found = [
        {"title": section.title, "findings": [finding._asdict() for finding in section.findings]}
        for section in sections
    ]
    return {"status": ("ok", "warnings", "errors")[status_of(sections)], "sections": found}
