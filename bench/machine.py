"""Where and with what was measured: what a reader needs to judge the figures, and nothing that names the
machine.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.environments import BUILD
from bench.settings import Settings

DISTRIBUTIONS = (
    "cryptography",
    "msgspec",
    "starlette",
    "uvicorn",
    "PyJWT",
    "joserfc",
    "Authlib",
    "python-jose",
    "fastmcp",
)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _openssl() -> str:
    from cryptography.hazmat.backends.openssl import backend

    return str(backend.openssl_version_text())


def _node(settings: Settings) -> dict[str, str]:
    if settings.node is None:
        return {}
    version = subprocess.run(
        [settings.node, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    packages = json.loads((BUILD / "node" / "package.json").read_text("utf-8"))["dependencies"]
    return {"Node.js": version.removeprefix("v"), **packages}


def describe(settings: Settings) -> dict[str, Any]:
    """Processor, interpreter, versions, rounds, and the day.

    Args:
        settings: What the parts were run with.

    Returns:
        A document ready for `json`.
    """
    return {
        "day": dt.datetime.now(dt.UTC).date().isoformat(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "openssl": _openssl(),
        "rounds": settings.rounds,
        "batch_milliseconds": settings.batch_milliseconds,
        "versions": {name: metadata.version(name) for name in DISTRIBUTIONS} | _node(settings),
    }
