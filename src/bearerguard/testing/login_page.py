"""The page on which somebody logs in at an issuer of tests: a list of made-up people to choose from.

Pure functions from what is to be shown to HTML. Nothing is asked but who to be, nothing is loaded from
anywhere, no script runs, and whatever a request brought is shown as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

__all__ = ["PERSONAS", "Persona", "login_page", "problem_page"]


@dataclass(frozen=True)
class Persona:
    """Somebody made up, who can log in at an `Issuer` without a password.

    Args:
        sub: the subject of the tokens.
        name: what to call them on the login page.
        scopes: those that they can give a client; what else it asks for is left out of the token.
        roles: the claim `roles` of the tokens.
    """

    sub: str
    name: str
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


PERSONAS = (
    Persona("ada", "Ada", ("orders:read", "orders:write"), ("admin",)),
    Persona("ben", "Ben", ("orders:read",)),
    Persona("cleo", "Cleo"),
)

_STYLE = """
body { font: 16px/1.5 sans-serif; color: #1d2733; background: #f3f5f7; margin: 0; }
main { max-width: 34rem; margin: 8vh auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
p { margin: 0 0 1.25rem; color: #52606d; }
code { background: #e4e8ec; border-radius: 3px; padding: 0 .3em; }
button { display: block; width: 100%; box-sizing: border-box; text-align: left; font: inherit; color: inherit;
  background: #fff; border: 1px solid #c3ccd5; border-radius: 6px; padding: .75rem 1rem; margin: 0 0 .75rem;
  cursor: pointer; }
button:hover, button:focus { border-color: #1f6feb; outline: 2px solid #1f6feb33; }
button small { display: block; color: #52606d; }
button.cancel { background: none; text-align: center; }
"""


def login_page(
    personas: Iterable[Persona], client_id: str, scopes: Iterable[str], parameters: Mapping[str, str]
) -> bytes:
    """The page that asks who to be.

    Args:
        personas: who there is to choose from.
        client_id: the client that asks for a token.
        scopes: what it asks for.
        parameters: the authorization request, which the form sends again, with `persona`.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'
        for name, value in parameters.items()
    )
    asked = " ".join(f"<code>{escape(scope)}</code>" for scope in scopes) or "no scope"
    choices = "".join(_choice(persona) for persona in personas)
    return _page(
        "Log in",
        f"<p>The client <code>{escape(client_id)}</code> asks for {asked}. Who are you?</p>\n"
        f'<form method="post">\n{hidden}{choices}'
        '<button class="cancel" name="cancel" value="1">Cancel</button>\n</form>',
    )


def problem_page(problem: str) -> bytes:
    """The page for a request that leads back to nobody."""
    return _page("This request cannot be completed", f"<p>{escape(problem)}</p>")


def _choice(persona: Persona) -> str:
    may = ", ".join(map(escape, persona.scopes)) or "none"
    roles = ", ".join(map(escape, persona.roles)) or "none"
    return (
        f'<button name="persona" value="{escape(persona.sub)}"><strong>{escape(persona.name)}</strong>'
        f"<small>scopes: {may}</small><small>roles: {roles}</small></button>\n"
    )


def _page(title: str, content: str) -> bytes:
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}: test issuer</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>{_STYLE}</style>\n<main>\n<h1>{title}</h1>\n{content}\n</main>\n</html>\n"
    ).encode()
