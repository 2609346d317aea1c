"""Glewlwyd, a provider of Debian's that nobody here wrote: it issues JWTs, and answers questions about them.

It is set up as an administrator would do it: a database of its own schema, then its administration API.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import httpx2
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
CONFIGURATION = """\
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
api_prefix="api"
log_mode="console"
log_level="INFO"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="session"
login_url="login.html"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database = {{ type="sqlite3" path="{database}" }};
"""
ADMINISTRATOR = {"username": "admin", "password": "password"}  # as its schema has them


class Glewlwyd:
    """The provider, running, with a client that gets tokens and an API that asks about them."""

    client = ("reporting", "secret of the client")
    api = ("orders-api", "secret of the API")
    audience = "https://api.test"

    def __init__(self, folder: Path) -> None:
        program = shutil.which("glewlwyd")
        assert program is not None
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}"
        self.issuer: str = f"{self._address}/api/oidc"
        database, configuration = folder / "database", folder / "glewlwyd.conf"
        with sqlite3.connect(database) as connection:
            connection.executescript(SCHEMA.read_text())
        connection.close()
        configuration.write_text(CONFIGURATION.format(port=port, database=database))
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [program, f"--config-file={configuration}"], stdout=log, stderr=log
            )
        try:
            self._set_up()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and kill it where it does not end by itself. May be called again."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def token(self, *, resource: str | None = audience) -> str:
        """An access token by client credentials, for a resource (RFC 8707) if one is named."""
        form = {"grant_type": "client_credentials", "scope": "reports:read"}
        if resource is not None:
            form["resource"] = resource
        answer = httpx2.post(f"{self.issuer}/token", data=form, auth=self.client, trust_env=False, timeout=60)
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def revoke(self, token: str) -> None:
        """Revoke a token as its client does (RFC 7009)."""
        form = {"token": token, "token_type_hint": "access_token"}
        url = f"{self.issuer}/revoke"
        httpx2.post(url, data=form, auth=self.client, trust_env=False, timeout=60).raise_for_status()

    def _set_up(self) -> None:
        with httpx2.Client(base_url=f"{self._address}/api", trust_env=False, timeout=60) as http:
            self._wait(http)
            for path, content in (
                ("auth/", ADMINISTRATOR),
                ("scope/", _scope("reports:read")),
                ("scope/", _scope("introspect")),
                ("mod/plugin/", self._openid_connect()),
                ("client/", _client(*self.client, ["reports:read"])),
                ("client/", _client(*self.api, ["introspect"])),
            ):
                http.post(path, json=content).raise_for_status()

    def _wait(self, http: httpx2.Client) -> None:
        """Wait until it answers."""
        end = time.monotonic() + 60
        while True:
            try:
                http.get("auth/")
            except httpx2.TransportError:
                assert self._process.poll() is None, "it ended before it was ready"
                assert time.monotonic() < end, "it does not get ready"
                time.sleep(0.02)
            else:
                return

    def _openid_connect(self) -> dict[str, object]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        flows = ("code", "token", "id-token", "password", "device", "refresh", "client")
        parameters = {
            "iss": self.issuer,
            "jwt-type": "rsa",
            "jwt-key-size": "256",
            "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "cert": public.decode(),
            "access-token-duration": 3600,
            "refresh-token-duration": 3600,
            "code-duration": 600,
            "refresh-token-rolling": True,
            "allow-non-oidc": True,
            "jwks-show": True,
            "introspection-revocation-allowed": True,
            "introspection-revocation-auth-scope": ["introspect"],
            "introspection-revocation-allow-target-client": True,
            "resource-allowed": True,
            "resource-scope": {"reports:read": [self.audience]},
            **{f"auth-type-{flow}-enabled": flow == "client" for flow in flows},
        }
        return {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": parameters}


def _scope(name: str) -> dict[str, object]:
    return {"name": name, "display_name": name, "description": name, "password_required": False, "scheme": {}}


def _client(client_id: str, secret: str, scopes: list[str]) -> dict[str, object]:
    return {
        "client_id": client_id,
        "name": client_id,
        "confidential": True,
        "enabled": True,
        "password": secret,
        "client_secret": secret,
        "authorization_type": ["client_credentials"],
        "token_endpoint_auth_method": ["client_secret_basic"],
        "scope": scopes,
        "redirect_uri": ["http://127.0.0.1/nowhere"],
    }
