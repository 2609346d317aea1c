"""What a fresh process does until its first token is verified, as programs: ours, and PyJWT's beside it.

Each starts with nothing, as a function of a serverless platform does, and gets its keys from a server on
loopback or out of a snapshot.
"""

from __future__ import annotations

import json
from pathlib import Path

from bench.material import AUDIENCE, ISSUER

_OURS = """
from bearerguard import Provider, RemoteKeys, ResourceServer
keys = RemoteKeys({url!r}, http_options={patience!r})
provider = Provider({issuer!r}, audience={audience!r}, keys=keys)
server = ResourceServer(provider{snapshot})
server.verify(open({token!r}).readline().strip())
"""
_SNAPSHOT = ", snapshot=__import__('json').load(open({path!r}))"
_PYJWT = """
import jwt
client = jwt.PyJWKClient({url!r}, timeout=120)
token = open({token!r}).readline().strip()
key = client.get_signing_key_from_jwt(token)
jwt.decode(token, key, ["RS256"], audience={audience!r}, issuer={issuer!r}, options={required!r})
"""
_PATIENCE = {"timeout": 120.0}
"""Importing what fetches keys takes longer under callgrind than a fetch may by default."""
_REQUIRED = {"require": ["iss", "aud", "exp"]}
UNWANTED = ("httpx2", "anyio")
"""What a process that has a snapshot need not import."""
CRYPTOGRAPHY_AND_MSGSPEC = """
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
import msgspec
"""
"""What of the two a verifier of these algorithms takes, and nothing else."""


def _filled(template: str, directory: Path, url: str, snapshot: str = "") -> str:
    return template.format(
        issuer=ISSUER,
        audience=AUDIENCE,
        url=f"{url}/RS256.example.jwks.json",
        token=str(directory / "RS256.example.txt"),
        required=_REQUIRED,
        snapshot=snapshot,
        patience=_PATIENCE,
    )


def ours(directory: Path, url: str) -> str:
    """bearerguard with a `jwks_uri`."""
    return _filled(_OURS, directory, url)


def ours_writing(directory: Path, url: str) -> str:
    """The same, which leaves its snapshot behind."""
    writing = f"with open({str(_snapshot(directory))!r}, 'w') as file: json.dump(server.snapshot(), file)"
    return f"{ours(directory, url)}import json\n{writing}\n"


def ours_with_snapshot(directory: Path, url: str) -> str:
    """bearerguard with the same `jwks_uri`, and the keys of an earlier process."""
    return _filled(_OURS, directory, url, _SNAPSHOT.format(path=str(_snapshot(directory))))


def saying_what_came_along(program: str) -> str:
    """The same program, which then prints the unwanted modules that it has imported, as JSON."""
    printing = f"print(json.dumps([name for name in {UNWANTED!r} if name in sys.modules]))"
    return f"{program}import json, sys\n{printing}\n"


def came_along(printed: str) -> list[str]:
    """What such a program has printed."""
    found: list[str] = json.loads(printed)
    return found


def pyjwt(directory: Path, url: str) -> str:
    """PyJWT with its `PyJWKClient`."""
    return _filled(_PYJWT, directory, url)


def _snapshot(directory: Path) -> Path:
    return directory / "snapshot.json"
