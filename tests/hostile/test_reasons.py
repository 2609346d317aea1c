"""The reason codes: every one that the source uses is documented, and every one documented is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bearerguard
from bearerguard import AuthError, InvalidToken, ProviderUnavailable, TooManyProofs, UseDPoPNonce, errors
from tests.challenge import challenge_of

SOURCE = Path(bearerguard.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, AuthError)
}
# A text that is not a signed one is a refusal as soon as it was meant as a token.
MADE_BY = {**ERRORS, "JoseError": InvalidToken}


def refusals() -> Iterator[tuple[str, ast.Call]]:
    """Every place in the source where a refusal is made."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in MADE_BY
                and not _translates(node)
            ):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


def _translates(call: ast.Call) -> bool:
    """Whether a refusal repeats the reason of another, which stands where that was raised."""
    return bool(call.args) and ast.unparse(call.args[0]) in {"error.reason", "refused.reason"}


def reason_of(call: ast.Call) -> tuple[str, str]:
    """The error and the reason that a call names, as the literals that they have to be."""
    assert isinstance(call.func, ast.Name)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if call.func.id == TooManyProofs.__name__:
        return call.func.id, TooManyProofs("", retry_after=1).reason
    if call.func.id == ProviderUnavailable.__name__ and "reason" not in named:
        return call.func.id, ProviderUnavailable("", retry_after=1).reason
    first = named.get("reason", call.args[0])
    assert isinstance(first, ast.Constant), "a reason is a literal, or it could not be found"
    assert isinstance(first.value, str)
    return MADE_BY[call.func.id].__name__, first.value


def documented() -> dict[str, str]:
    """The table of reasons: the error of each."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Reasons\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| [^|]+ \| [^|]+ \|$", section, re.MULTILINE)
    assert len(dict(rows)) == len(rows) > 20
    return dict(rows)


def test_the_documentation_has_exactly_the_reasons_that_the_source_gives() -> None:
    used = {reason: error for error, reason in (reason_of(call) for _, call in refusals())}
    assert documented() == used


def test_the_documentation_has_the_status_and_the_code_of_every_error() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## What a client sees\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (?:`(\w+)`|none) \|", section, re.MULTILINE)
    shown = {name: (int(status), code or None) for status, name, code in rows}
    real = {
        name: (kind.status, _code_in_challenge(kind))
        for name, kind in ERRORS.items()
        if kind is not AuthError
    }
    assert shown == real


def _code_in_challenge(kind: type[AuthError]) -> str | None:
    made: dict[type[AuthError], AuthError] = {
        ProviderUnavailable: ProviderUnavailable("", retry_after=1),
        TooManyProofs: TooManyProofs("", retry_after=1),
        UseDPoPNonce: UseDPoPNonce("", "", "n"),
    }
    error = made.get(kind) or kind("", "")
    found = re.search(r'error="(\w+)"', challenge_of(error))
    return found[1] if found else None


def test_the_docstring_of_an_error_lists_its_reasons() -> None:
    for reason, error in documented().items():
        text = ERRORS[error].__doc__ or ""
        if "Reason" in text:
            assert f"`{reason}`" in text, (error, reason)


def test_no_description_is_made_of_anything_but_what_the_program_says_of_itself() -> None:
    """A sentence for the client may name a claim that configuration named; never a value out of the token."""
    allowed = {"name", "claim", "unsupported", "missing", "kind", "ahead", "scheme", "expected", "part"}
    allowed |= {"MAX_JTI_CHARACTERS", "oldest", "source", "template", "reasons"}
    for where, call in refusals():
        for text in (node for node in ast.walk(call) if isinstance(node, ast.FormattedValue)):
            names = {node.id for node in ast.walk(text.value) if isinstance(node, ast.Name)}
            assert names <= allowed, f"{where} puts {names} into a sentence"
