from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import bearerguard
from bearerguard import _limits as limits
from bearerguard._jose.algorithms import ASYMMETRIC


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKEN_BYTES", 16_384),
        ("DEFAULT_LEEWAY", 10),
        ("MAX_LEEWAY", 300),
        ("VERDICT_MEMORY_BYTES", 16 * 1024 * 1024),
        ("MIN_RSA_BITS", 2048),
        ("MAX_RSA_BITS", 8192),
        ("MAX_KEYS_TRIED", 4),
        ("MAX_KEYS", 100),
        ("MAX_KEY_SET_BYTES", 524_288),
        ("KEY_SET_LIFETIME", 600),
        ("MIN_KEY_SET_LIFETIME", 60),
        ("MAX_KEY_SET_LIFETIME", 86_400),
        ("REFRESH_AHEAD", 0.8),
        ("STALE_IF_ERROR", 3600),
        ("COOLDOWN", 30),
        ("SIGNATURE_COOLDOWN", 300),
        ("UNKNOWN_KID_PATIENCE", 1),
        ("MAX_PATIENT_THREADS", 2),
        ("MAX_VALIDATOR_CHARACTERS", 1024),
        ("FETCH_TIMEOUT", 5),
    ],
)
def test_a_default_that_users_rely_on_is_not_changed_by_accident(name: str, value: Any) -> None:
    assert getattr(limits, name) == value


# Numbers of a protocol or of mathematics, which bound nothing.
NO_LIMITS = {
    "_asgi.py": ["POLICY_VIOLATION"],
    "_core/certificate_field.py": ["_SEQUENCE", "_LONGEST_SHORT_FORM"],
    "_core/unchecked_tls.py": ["_CERT_NONE"],
    "_io/key_report.py": ["VERSION"],
    "stores/redis/_values.py": ["VERSION"],
    "_jose/base64url.py": ["_LONG"],
    "_websocket.py": ["TOKEN_EXPIRED"],
    # A minute, a day; and a door's own, which nothing else knows.
    "_core/first_fetches.py": ["MINUTE"],
    "_core/denylist.py": ["_BUCKET"],
    "_io/revocations.py": ["WHILE_FULL"],
    "presets/aws_alb.py": ["_DAY"],
    "explain/causes.py": ["_CLOCK"],
    "explain/situation.py": ["_LONGEST"],
    "drf/spectacular.py": ["_PATIENCE"],
    "ninja/document.py": ["_PATIENCE"],
    "_jose/jwk.py": ["_P", "_Y_OF_ORDER_8"],
}


def is_number(expression: ast.expr | None) -> bool:
    """Whether it is a number, or made of numbers: `16 * 1024`."""
    match expression:
        case ast.Constant(value=int() | float()):
            return not isinstance(expression.value, bool)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case _:
            return False


def test_every_number_that_bounds_the_library_stands_in_one_place() -> None:
    (folder,) = map(Path, bearerguard.__path__)
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("*.py")):
        path = file.relative_to(folder).as_posix()
        if path != "_limits.py" and not path.startswith(("cli/", "testing/")):
            for node in ast.parse(file.read_text("utf-8")).body:
                if isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value):
                    found.setdefault(path, []).append(ast.unparse(node).partition(" ")[0].rstrip(":"))
    assert found == NO_LIMITS


def test_the_default_algorithms_are_the_asymmetric_ones() -> None:
    families = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
    assert families | {"EdDSA", "Ed25519"} == ASYMMETRIC


def test_a_refresh_that_is_put_off_furthest_still_comes_before_the_end() -> None:
    assert limits.REFRESH_AHEAD + limits.REFRESH_JITTER < 1
