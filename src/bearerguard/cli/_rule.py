"""A rule written as text, as it prints: `scope('a') & role('b')`.

It is parsed and never evaluated: names of rules, texts, numbers and lists of them, `&`, `|`, `~` and
parentheses, and nothing else of Python.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from bearerguard import (
    ConfigurationError,
    Rule,
    any_scope,
    authenticated,
    bound,
    claim,
    client,
    fresh,
    permission,
    role,
    scope,
    subject,
)

__all__ = ["NotARule", "rule_in"]

_LONGEST = 2000
_FUNCTIONS: dict[str, Callable[..., Rule]] = {
    "any_scope": any_scope,
    "bound": bound,
    "claim": claim,
    "client": client,
    "fresh": fresh,
    "permission": permission,
    "role": role,
    "scope": scope,
    "subject": subject,
}


class NotARule(Exception):
    """A text is not a rule; the message says why, and what to write."""


def rule_in(text: str) -> Rule:
    """Return the rule that a text is.

    Raises:
        NotARule: it is not one.

    Examples:
        >>> rule_in("scope('a') & ~role('guest')")
        scope('a') & ~role('guest')
    """
    if len(text) > _LONGEST:
        raise NotARule(f"it has {len(text)} characters, and at most {_LONGEST} are read")
    try:
        return _rule(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError as problem:
        where = "" if problem.offset is None else f" at character {problem.offset}"
        raise NotARule(f"it cannot be read{where}: write it as scope('a') & role('b')") from None
    except ConfigurationError as problem:
        raise NotARule(str(problem)) from None
    except (RecursionError, MemoryError, ValueError):
        raise NotARule("it cannot be read: write it as scope('a') & role('b')") from None


def _rule(node: ast.expr) -> Rule:
    match node:
        case ast.BinOp(left, ast.BitAnd(), right):
            return _rule(left) & _rule(right)
        case ast.BinOp(left, ast.BitOr(), right):
            return _rule(left) | _rule(right)
        case ast.UnaryOp(ast.Invert(), operand):
            return ~_rule(operand)
        case ast.BoolOp() | ast.UnaryOp(ast.Not(), _):
            raise NotARule("rules are combined with &, | and ~, not with and, or and not")
        case ast.Name("authenticated"):
            return authenticated
        case ast.Call(ast.Name(name), arguments, keywords) if name in _FUNCTIONS:
            named = {one.arg: _value(one.value) for one in keywords if one.arg is not None}
            if len(named) < len(keywords):
                raise NotARule("'**' is not read here: write the arguments by name")
            try:
                return _FUNCTIONS[name](*map(_value, arguments), **named)
            except TypeError:
                raise NotARule(f"{ast.unparse(node)} has arguments that {name}() does not take") from None
        case ast.Call(ast.Name(name)) | ast.Name(name):
            known = ", ".join(["authenticated", *sorted(_FUNCTIONS)])
            raise NotARule(f"{name!r} is not a rule: write one of {known}")
        case _:
            pass
    raise NotARule(f"{ast.unparse(node)} is not a rule: write scope('a') & role('b'), for example")


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(str() | int() | float() as value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
            return -value
        case ast.List(items) | ast.Tuple(items):
            return [_value(item) for item in items]
        case _:
            pass
    raise NotARule(
        f"{ast.unparse(node)} is not read here: write texts, numbers, True or False, and lists of texts"
    )
