"""Real proxies that end TLS and ask for client certificates: nginx, HAProxy, Caddy.

What they are told stands in docs/mtls.md, and is taken from there, but for names and ports. Each listens on
sockets that it inherits: what is sent before it is up waits for it.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ENOUGH = 60.0
"""Seconds after which a program that does not end is killed."""
PAGE = Path(__file__).parents[2] / "docs" / "mtls.md"
SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(Path(sys.executable).parent)])


def found(program: str) -> str | None:
    """Where a program is: on the path, where Debian has servers, or in our own environment."""
    return shutil.which(program, path=SBIN)


class Process:
    """A program that listens on sockets which it inherits.

    Args:
        command: what to run.
        sockets: on which it listens.
        log: where its errors go.
        environment: what is different in its environment.
    """

    def __init__(
        self,
        command: list[str],
        *sockets: socket.socket,
        log: Path,
        environment: dict[str, str] | None = None,
    ) -> None:
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                command,
                pass_fds=[one.fileno() for one in sockets],
                env={**os.environ, "no_proxy": "127.0.0.1", **(environment or {})},
                stdout=errors,
                stderr=errors,
            )

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(ENOUGH)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def port_of(one: socket.socket) -> int:
    port: int = one.getsockname()[1]
    return port


class Proxy:
    """A proxy before some applications: for each of their addresses, the port at which it is served over TLS.

    Args:
        folder: where the certificates of the server and of the authority are.
        upstreams: where the applications are, as `127.0.0.1:PORT` or `unix:PATH`.
    """

    program: str
    path: str

    def __init__(self, folder: Path, upstreams: list[str]) -> None:
        with ExitStack() as opened:
            sockets = [opened.enter_context(listening()) for _ in upstreams]
            self.ports = dict(zip(upstreams, map(port_of, sockets), strict=True))
            program = found(self.program)
            assert program is not None
            own = Path(tempfile.mkdtemp(dir=folder))
            self._process = self.start(program, own, sockets)

    def start(self, program: str, folder: Path, sockets: list[socket.socket]) -> Process:
        raise NotImplementedError

    def stop(self) -> None:
        self._process.stop()


def shown(language: str, **replaced: object) -> str:
    """A configuration that docs/mtls.md shows, with what is replaced in it, each of which has to be there."""
    block = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    text = block[1]
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, str(new))
    return text


NGINX = """\
daemon off;
user {user};
pid {folder}/nginx.pid;
worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {servers}
}}
"""
HAPROXY = """\
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
"""
CADDY = """\
{{
  auto_https off
  admin off
  storage file_system {folder}
  servers {{
    protocols h1 h2
  }}
}}
"""


class Nginx(Proxy):
    program = "nginx"
    path = "/nginx"

    def start(self, program: str, folder: Path, sockets: list[socket.socket]) -> Process:
        servers = [
            shown(
                "nginx", **{"443": f"127.0.0.1:{port}", "127.0.0.1:8000": upstream, "/etc/tls": folder.parent}
            )
            for upstream, port in self.ports.items()
        ]
        user = pwd.getpwuid(os.getuid()).pw_name  # or root's nginx would leave the folder to nobody
        group = grp.getgrgid(os.getgid()).gr_name
        configuration = folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(folder=folder, servers="".join(servers), user=f"{user} {group}")
        )
        command = [program, "-c", str(configuration), "-p", str(folder), "-e", "stderr"]
        inherited = "".join(f"{one.fileno()};" for one in sockets)
        return Process(command, *sockets, log=folder / "nginx.log", environment={"NGINX": inherited})


class HAProxy(Proxy):
    program = "haproxy"
    path = "/haproxy"

    def start(self, program: str, folder: Path, sockets: list[socket.socket]) -> Process:
        parts = [
            shown(
                "haproxy",
                **{
                    "bind :443": f"bind fd@{one.fileno()}",
                    "127.0.0.1:8000": upstream,
                    "frontend api": f"frontend api_{port}",
                    "backend api": f"backend api_{port}",  # default_backend too
                    "/etc/tls": folder.parent,
                },
            )
            for one, (upstream, port) in zip(sockets, self.ports.items(), strict=True)
        ]
        configuration = folder / "haproxy.cfg"
        configuration.write_text(HAPROXY + "".join(parts))
        return Process([program, "-f", str(configuration), "-db"], *sockets, log=folder / "haproxy.log")


class Caddy(Proxy):
    program = "caddy"
    path = "/caddy"

    def start(self, program: str, folder: Path, sockets: list[socket.socket]) -> Process:
        parts = [
            shown(
                "caddy",
                **{
                    "api.example {": f"https://localhost:{port} {{\n  bind fd/{one.fileno()}",
                    "127.0.0.1:8000": upstream,
                    "/etc/tls": folder.parent,
                },
            )
            for one, (upstream, port) in zip(sockets, self.ports.items(), strict=True)
        ]
        configuration = folder / "Caddyfile"
        configuration.write_text(CADDY.format(folder=folder) + "".join(parts))
        command = [program, "run", "--adapter", "caddyfile", "--config", str(configuration)]
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        return Process(command, *sockets, log=folder / "caddy.log", environment=home)
