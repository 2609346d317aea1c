"""Providers as the variables of an environment describe them, as containers are configured.

One by `BEARERGUARD_ISSUER` and so on, several by `BEARERGUARD_1_ISSUER`, or all as JSON in
`BEARERGUARD_PROVIDERS`. A name that means nothing is refused, as a check that nobody made would be. No error
shows a value: an environment is where secrets are.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bearerguard.errors import ConfigurationError
from bearerguard.provider.keys import RemoteKeys
from bearerguard.provider.profiles import ID_TOKEN, JWT, RFC9068
from bearerguard.provider.provider import Provider

_PROFILES = {"JWT": JWT, "RFC9068": RFC9068, "ID_TOKEN": ID_TOKEN}
_SWITCHES = {
    "dangerously_accept_any_audience",
    "dangerously_accept_any_issuer",
    "dangerously_allow_http",
    "introspection_audience_checked_by_issuer",
    "introspection_dangerously_unauthenticated",
    "introspection_form_encoded",
    "introspection_signed",
    "protected_refs_only",
    "roles_are_keys",
    "same_issuer",
}
_LISTS = {
    "algorithms",
    "audience",
    "authorized_parties",
    "client_id",
    "environment",
    "issuer_aliases",
    "job_workflow_ref",
    "namespace_id",
    "namespace_path",
    "project_id",
    "project_path",
    "ref",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "source_peers",
    "tenants",
}
_SECONDS = {"leeway", "introspection_revocation_budget"}
# What a provider that is not of a preset needs, and which options make up for it.
_NEEDED = {
    "issuer": ("dangerously_accept_any_issuer", "signer", "trust_domain"),
    "audience": ("dangerously_accept_any_audience", "signer"),
}
_CLAIMS = {"issuer": "iss", "audience": "aud"}
_INTROSPECTION = "introspection_"
_SOURCE = {"source_header", "source_peers", "source_cookie"}
_NOT_TEXT = {"http_options", "introspection", "source", "options", "moved", "self", "profile", "keys"}
# Kubernetes gives every pod the addresses of the Services beside it, under names that begin with theirs.
_OF_KUBERNETES = re.compile(
    r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_NUMBERED = re.compile(r"(0|[1-9]\d{0,2})_(\w+)")
_OF_SERVER = "RESOURCE"


def providers_from(prefix: str, environ: Mapping[str, str] | None) -> list[Provider]:
    """Return the providers that an environment describes.

    Args:
        prefix: how the names of its variables begin.
        environ: the environment; that of the process by default.

    Raises:
        ConfigurationError: no variable has the prefix, a name is unknown, or a value cannot be used.
    """
    found = _own(prefix, environ)
    found.pop(_OF_SERVER, None)
    if "PROVIDERS" in found:
        written = found.pop("PROVIDERS")
        _refuse_others(prefix, found, f"{prefix}PROVIDERS")
        return [
            _built(f"{prefix}PROVIDERS[{n}].", entry) for n, entry in enumerate(_entries(prefix, written))
        ]
    numbered: dict[int, dict[str, str]] = {}
    for name in list(found):
        match = _NUMBERED.fullmatch(name)
        if match is not None:
            numbered.setdefault(int(match[1]), {})[match[2]] = found.pop(name)
    if numbered:
        _refuse_others(prefix, found, f"{prefix}1_...")
        return [_provider(f"{prefix}{number}_", variables) for number, variables in sorted(numbered.items())]
    if not found:
        raise ConfigurationError(
            f"No variable begins with {prefix}: set {prefix}ISSUER and {prefix}AUDIENCE, or {prefix}PRESET "
            "with what that needs."
        )
    return [_provider(prefix, found)]


def resource_from(prefix: str, environ: Mapping[str, str] | None) -> str | None:
    """Return the URL of the API, where the environment names it."""
    return _own(prefix, environ).get(_OF_SERVER)


def _own(prefix: str, environ: Mapping[str, str] | None) -> dict[str, str]:
    """The variables that begin with the prefix, without it."""
    everything = os.environ if environ is None else environ
    own = {name[len(prefix) :]: value for name, value in everything.items() if name.startswith(prefix)}
    return {name: value for name, value in own.items() if not _OF_KUBERNETES.fullmatch(name)}


def _refuse_others(prefix: str, others: Iterable[str], chosen: str) -> None:
    other = next(iter(sorted(others)), None)
    if other is not None:
        raise ConfigurationError(
            f"{prefix}{other} stands beside {chosen}: describe all providers in one of these ways."
        )


def _entries(prefix: str, written: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(written, object_pairs_hook=_without_duplicates)
    except _TwiceError:
        raise ConfigurationError(
            f"{prefix}PROVIDERS has a name twice in one object: leave one of them out."
        ) from None
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(
            f"{prefix}PROVIDERS is not a JSON array of objects: write it as "
            '[{"issuer": "...", "audience": "..."}].'
        )
    return entries


class _TwiceError(ValueError):
    """A name that stands twice in an object, of which `json` would keep the last without a word."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


def _provider(prefix: str, variables: Mapping[str, str]) -> Provider:
    """The provider of some variables, whose values are text."""
    given: dict[str, str] = {}
    for name, value in variables.items():
        if name.lower() in given:
            raise ConfigurationError(
                f"{prefix}{name.upper()} is there twice, in upper and in lower case: leave one of them out."
            )
        given[name.lower()] = value
    _check_names(prefix, given, str.upper)
    options = {name: _parsed(f"{prefix}{name.upper()}", name, value) for name, value in given.items()}
    return _built(prefix, options, str.upper)


def _built(prefix: str, given: Mapping[str, Any], spell: Callable[[str], str] = str) -> Provider:
    """The provider of some options, of whatever form; errors show none of their values."""
    options = dict(given)
    _check_names(prefix, options, spell)
    build = _builder(prefix, options.pop("preset", None))
    for name in _SWITCHES & options.keys():
        if not isinstance(options[name], bool):
            raise ConfigurationError(
                f"{prefix}{spell(name)} is neither true nor false: write one of them, in JSON without "
                "quotation marks."
            )
    profile = options.get("profile")
    if profile is not None:
        if profile not in _PROFILES:
            raise ConfigurationError(f"{prefix}{spell('profile')} is not one of {', '.join(_PROFILES)}.")
        options["profile"] = _PROFILES[profile]
    try:
        _add_introspection(options)
        _add_source(options)
        _add_keys(options, takes_http="dangerously_allow_http" in inspect.signature(build).parameters)
        missing = [
            name
            for name, parameter in inspect.signature(build).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            and name not in options
        ]
        if "tenant_id" in missing and "tenants" in options:
            options["tenant_id"] = None
            missing.remove("tenant_id")
        if build is Provider:
            missing = [name for name, others in _NEEDED.items() if not any(map(options.get, (name, *others)))]
            options = {"issuer": None, "audience": None, **options}
        if missing:
            said = f": write what its tokens have in '{_CLAIMS[missing[0]]}'" if missing[0] in _CLAIMS else ""
            raise ConfigurationError(f"{prefix}{spell(missing[0])} is missing{said}.")
        return build(**options)
    except ConfigurationError as problem:
        raise ConfigurationError(_without_values(prefix, str(problem), given, spell)) from None
    except TypeError:
        # Of a form that no option has, such as a list in the place of a name; the message would show it.
        raise ConfigurationError(
            f"{prefix}...: an option has a value of another form than it takes."
        ) from None


def _builder(prefix: str, preset: Any) -> Callable[..., Provider]:
    if preset is None:
        return Provider
    from bearerguard import presets  # noqa: PLC0415 - loaded by those who use one

    if preset not in presets.__all__:
        near = difflib.get_close_matches(str(preset), presets.__all__, 1)
        meant = f": write {near[0]!r}" if near else f": write one of {', '.join(presets.__all__)}"
        raise ConfigurationError(f"{prefix}PRESET is not the name of a preset{meant}.")
    build: Callable[..., Provider] = getattr(presets, preset)
    return build


def _check_names(prefix: str, given: Mapping[str, Any], spell: Callable[[str], str]) -> None:
    known = _names_of(Provider) | {
        "issuer",
        "keys",
        "profile",
        "preset",
        "metadata_url",
        "dangerously_allow_http",
        *_SOURCE,
    }
    if any(name.startswith(_INTROSPECTION[:-1]) for name in given):
        from bearerguard.provider.introspection import Introspection  # noqa: PLC0415 - loaded by those who have it

        known |= {f"{_INTROSPECTION}{name}" for name in _names_of(Introspection) | {"key"}}
    preset = given.get("preset")
    if preset is not None:
        known |= _names_of(_builder(prefix, preset)) | {"keys"}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            meant = f": did you mean {prefix}{spell(near[0])}?" if near else ": leave it out."
            raise ConfigurationError(f"{prefix}{spell(name)} is not known{meant}")


def _names_of(build: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(build).parameters) - _NOT_TEXT


def _parsed(variable: str, name: str, value: str) -> Any:
    """The value of an option that is written as text."""
    if name in _SWITCHES:
        if value not in ("true", "false"):
            raise ConfigurationError(f"{variable} is neither 'true' nor 'false': write one of them.")
        return value == "true"
    if name in _SECONDS:
        try:
            return float(value)
        except ValueError:
            raise ConfigurationError(f"{variable} is not a number of seconds.") from None
    if name == "required_claims" or value.lstrip()[:1] == "[":
        try:
            return json.loads(value, object_pairs_hook=_without_duplicates)
        except _TwiceError:
            raise ConfigurationError(
                f"{variable} has a name twice in one object: leave one of them out."
            ) from None
        except ValueError:
            raise ConfigurationError(f"{variable} is not JSON.") from None
    if name in _LISTS and "," in value:
        return [part.strip() for part in value.split(",")]
    return value


def _add_introspection(options: dict[str, Any]) -> None:
    """Say how the provider is asked about tokens, where the environment does."""
    start = len(_INTROSPECTION)
    given = {name[start:]: options.pop(name) for name in list(options) if name.startswith(_INTROSPECTION)}
    if given:
        from bearerguard.provider.introspection import Introspection  # noqa: PLC0415 - loaded by those who have it

        if "client_id" not in given:
            raise ConfigurationError("introspection_client_id is missing")
        options["introspection"] = Introspection(**given)


def _add_source(options: dict[str, Any]) -> None:
    """Say where else than in `Authorization` the tokens come, where the environment does."""
    header, cookie, peers = (
        options.pop(name, None) for name in ("source_header", "source_cookie", "source_peers")
    )
    if header is None and cookie is None and peers is None:
        return
    from bearerguard.provider.sources import Cookie, Header  # noqa: PLC0415 - loaded by those who have it

    if header is not None and cookie is None:
        options["source"] = Header(header, peers=peers)
    elif cookie is not None and header is None and peers is None:
        options["source"] = Cookie(cookie)
    else:
        raise ConfigurationError("a source is source_header, with source_peers or without, or source_cookie")


def _add_keys(options: dict[str, Any], *, takes_http: bool) -> None:
    """Say how keys are fetched where that takes more than an address."""
    metadata_url = options.pop("metadata_url", None)
    allows_http = not takes_http and options.pop("dangerously_allow_http", False)
    if metadata_url is not None or allows_http:
        options["keys"] = RemoteKeys(
            options.get("keys"), metadata_url=metadata_url, dangerously_allow_http=allows_http
        )


def _without_values(prefix: str, message: str, given: Mapping[str, Any], spell: Callable[[str], str]) -> str:
    """An error's message, with the names of variables in the place of what they hold.

    The name of a preset stays: it is one of ours, and most of what a preset says begins with it.
    """
    given = {name: value for name, value in given.items() if name != "preset"}
    problem = re.sub(r"""^Provider ('|")(?:(?!\1)[^\\]|\\.)*\1: """, "", message)
    for name, value in given.items():
        for text in _texts_in(value):
            problem = problem.replace(repr(text), f"that of {prefix}{spell(name)}")
    shown = [name for name, value in given.items() if any(_shows(problem, text) for text in _texts_in(value))]
    if shown:
        named = " or ".join(f"{prefix}{spell(name)}" for name in shown)
        problem = f"{named} cannot be used; the reason shows what it holds: to see it, give that to Provider"
    start = problem if problem.startswith(prefix) else f"{prefix.rstrip('.')}...: {problem}"
    return start if start.endswith(".") else f"{start}."


def _texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value, value.strip()]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts_in(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts_in(item)]
    return []


def _shows(message: str, value: str) -> bool:
    """Whether a message shows a value, or a piece of it that is long enough to be one."""
    bare = re.sub(r"^https?://", "", value).lower()
    said = message.lower()
    length = min(len(bare), 8)
    return length >= 3 and any(bare[n : n + length] in said for n in range(len(bare) - length + 1))
