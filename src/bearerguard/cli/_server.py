"""Whom a command asks: the server of the program that `--app` names, or one made from options.

It runs the program's own module, as its web server would; it changes nothing of what it finds there.
"""

from __future__ import annotations

import importlib
import sys
from copy import copy
from pathlib import Path
from typing import Any

from bearerguard import ConfigurationError, DPoP, Provider, ResourceServer
from bearerguard._extra import extra
from bearerguard.guard import BaseGuard

with extra("cli"):
    import click

__all__ = ["chosen_server", "server_for", "server_in"]


def chosen_server(issuer: str | None, audiences: tuple[str, ...], app: str | None) -> ResourceServer:
    """Return the server that `--app`, or `--issuer` with `--audience`, stands for.

    Raises:
        click.UsageError: neither is there, both are, or they cannot be used.
    """
    if app is not None:
        if issuer is not None or audiences:
            raise click.UsageError("--app says whom to trust: leave --issuer and --audience out.")
        return server_in(app)
    if issuer is None:
        raise click.UsageError("No provider is named: give --issuer and --audience, or --app module:name.")
    if not audiences:
        raise click.UsageError("--audience is missing: give what tokens for this API have in 'aud'.")
    return server_for(issuer, audiences)


def server_in(name: str) -> ResourceServer:
    """Return the server of a program.

    Args:
        name: where its `ResourceServer` or `Guard` is, as `module:name`.

    Raises:
        click.UsageError: it is not there, it is something else, or the module cannot be imported.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise click.UsageError(f"--app is {name!r}: write module:name, such as main:server.")
    if "/" in module_name or Path(module_name).is_file():
        module = ".".join(Path(module_name).with_suffix("").parts)
        raise click.UsageError(
            f"--app is {name!r}, which names a file and not a module: write {module}:{attribute}."
        )
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` has it: the program is mostly in this folder
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        if missing.name is not None and (module_name + ".").startswith(missing.name + "."):
            raise click.UsageError(
                f"--app is {name!r}, and there is no module {missing.name!r} here: start the command in the "
                "folder from which the program is started."
            ) from None
        raise click.UsageError(_not_imported(module_name, missing)) from None
    except Exception as problem:  # noqa: BLE001 - whatever the program does when it is imported
        raise click.UsageError(_not_imported(module_name, problem)) from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise click.UsageError(
                f"--app is {name!r}, and {module_name} has no {part!r}: write the name of its "
                "ResourceServer or its Guard."
            )
        found = getattr(found, part)
    if isinstance(found, BaseGuard):
        return _as_known_to(found)
    if isinstance(found, ResourceServer):
        return found
    raise click.UsageError(
        f"--app is {name!r}, which is a {type(found).__name__}: write the name of the ResourceServer or "
        "the Guard."
    )


def _as_known_to(guard: BaseGuard) -> ResourceServer:
    """The server of a guard, which may know the API by another URL than the server does."""
    if guard.resource == guard.server.resource:
        return guard.server
    server = copy(guard.server)  # of the same keys and the same memory
    server.resource = guard.resource
    return server


def _not_imported(module: str, problem: Exception) -> str:
    return f"{module} cannot be imported: {type(problem).__name__}: {problem}"


def server_for(issuer: str, audiences: tuple[str, ...]) -> ResourceServer:
    """Return a server that trusts one issuer, whose keys are discovered, and takes bound tokens too.

    Args:
        issuer: the exact `iss` of its tokens.
        audiences: of which a token has to name one.

    Raises:
        click.UsageError: they cannot be used.
    """
    try:
        return ResourceServer(Provider(issuer, audience=audiences), dpop=DPoP())
    except ConfigurationError as problem:
        raise click.UsageError(str(problem)) from None
