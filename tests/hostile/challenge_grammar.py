"""A reader of `WWW-Authenticate` that takes nothing but what the RFCs write: to judge, not to be of use.

RFC 9110 section 11.6.1 for the form (without the white space that it calls bad), RFC 6750 section 3 for what
may stand in the values.
"""

from __future__ import annotations

import re

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SCHEME = re.compile(_TOKEN)
# quoted-string of RFC 9110 section 5.6.4 without obs-text, and without the tab that nobody needs
_PARAMETER = re.compile(rf'({_TOKEN})="((?:[ !#-\[\]-~]|\\[ -~])*)"')
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_CODES = {
    "invalid_request",
    "invalid_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    "invalid_dpop_proof",
    "use_dpop_nonce",
}


class BadChallenge(ValueError):
    """The value is not one well-formed challenge of its scheme."""


def parse_challenge(value: bytes, expected: str = "Bearer") -> dict[str, str]:
    """The parameters of the one challenge in `value`, unquoted.

    Raises:
        BadChallenge: where a strict reader would stumble.
    """
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        raise BadChallenge("not ASCII") from None
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[0] != expected:
        raise BadChallenge(f"not the scheme {expected}")
    rest = text[scheme.end() :]
    if not rest:
        return {}
    if not rest.startswith(" "):
        raise BadChallenge("no space after the scheme")
    parameters = _parameters(rest[1:])
    _judge(parameters)
    return parameters


def _parameters(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    at = 0
    while True:
        found = _PARAMETER.match(text, at)
        if found is None:
            raise BadChallenge(f"no parameter at {at}")
        name = found[1].lower()
        if name in parameters:
            raise BadChallenge(f"{name} twice")
        parameters[name] = re.sub(r"\\(.)", r"\1", found[2])
        at = found.end()
        if at == len(text):
            return parameters
        if not text.startswith(", ", at):
            raise BadChallenge(f"no comma at {at}")
        at += 2


def _judge(parameters: dict[str, str]) -> None:
    """RFC 6750 section 3: a code that is registered, and no quotes or backslashes, escaped or not."""
    if "error" in parameters and parameters["error"] not in _CODES:
        raise BadChallenge("an unknown error code")
    if "error_description" in parameters and "error" not in parameters:
        raise BadChallenge("a description of no error")
    for name in ("error", "error_description", "scope"):
        if not _PLAIN.fullmatch(parameters.get(name, "")):
            raise BadChallenge(f"characters in {name} that RFC 6750 forbids")
