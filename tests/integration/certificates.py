"""An authority's certificates for a provider and a client, with their keys, as files for both sides."""

from __future__ import annotations

from pathlib import Path

from tests.certificates import Authority

# As the provider knows its client.
_CLIENT = "api-by-certificate"


def write_certificates(folder: Path) -> None:
    """Write certificate and key of the `authority`, `server`, `client` and a `stranger` to the authority."""
    authority = Authority(folder)
    authority.issue("server")
    authority.issue("client", subject=_CLIENT)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    Authority(elsewhere).issue("stranger", subject=_CLIENT)
    for file in elsewhere.glob("stranger.*"):
        file.rename(folder / file.name)
