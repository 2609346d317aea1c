"""Tokens that are bound to client certificates, behind real proxies that end TLS, and where gunicorn ends it.

The tokens are of an identity provider that nobody here wrote. The clients come from 127.0.0.2: the proxies
are on 127.0.0.1, and a proxy whose address a request names as its client's is not believed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from werkzeug.serving import make_server

from bearerguard import ClientCertificate, Provider, ResourceServer, wsgi
from tests.certificates import Authority, x5t_s256
from tests.integration.conftest import lacking
from tests.integration.programs import HERE, Program
from tests.integration.proxies import Caddy, HAProxy, Nginx, Process, Proxy, found, listening, port_of, shown

pytestmark = pytest.mark.integration

Fields = Sequence[tuple[str, str]]
CLIENT = "127.0.0.2"
PROXIES: list[type[Proxy]] = [Nginx, HAProxy, Caddy]
SERVERS = ["uvicorn", "gunicorn"]
ENOUGH = 60


class World:
    """The authority, the provider, the API under each server, and the proxies before them.

    Attributes:
        certificates: of ada and of eve, by their names, as DER.
        token: one that is bound to ada's certificate.
        apis: where each server is, as a proxy is told.
    """

    def __init__(self, folder: Path, node: str, running: ExitStack) -> None:
        self.folder = folder
        self._running = running
        self._authority = Authority(folder)
        self._authority.issue("server")
        self.certificates = {name: self._authority.issue(name) for name in ("ada", "eve")}
        files = [str(folder / "server.key"), str(folder / "server.pem")]
        provider = Program(node, str(HERE / "certificate_provider.mjs"), *files, log=folder / "provider.log")
        running.callback(provider.stop)
        self._provider: dict[str, Any] = provider.ready
        self.issuer: str = self._provider["issuer"]
        self.token = self.token_of("ada")
        uvicorn = ["uvicorn", "--log-level", "warning", "certificate_api:app"]
        gunicorn = [
            "gunicorn",
            "--log-level",
            "warning",
            "--no-control-socket",
            "certificate_api:application",
        ]
        self.apis: dict[str, str] = {}
        self.logs: dict[str, Path] = {}
        self._start("uvicorn", *uvicorn, "--no-proxy-headers")
        self._start("uvicorn as it is", *uvicorn)
        self._start("gunicorn", *gunicorn)
        self._start("uvicorn on a socket", *uvicorn, "--no-proxy-headers")
        self._start("gunicorn on a socket", *gunicorn)
        tls = {"certfile": "server.pem", "keyfile": "server.key", "ca-certs": "authority.pem"}
        options = [f"--{name}={folder / file}" for name, file in tls.items()]
        self._start("gunicorn with TLS", *gunicorn, *options, "--cert-reqs=1")

    def _start(self, name: str, server: str, *options: str) -> None:
        """Start a server on a port of its own, or on a Unix socket."""
        if name.endswith("on a socket"):
            path = self.folder / server
            one = socket.socket(socket.AF_UNIX)
            one.bind(str(path))
            one.listen()
            self.apis[name] = f"unix:{path}"
        else:
            one = listening()
            self.apis[name] = f"127.0.0.1:{port_of(one)}"
        self.logs[name] = self.folder / f"{name}.log"
        with one:
            number = str(one.fileno())
            inherit = ["--fd", number] if server == "uvicorn" else ["--bind", f"fd://{number}"]
            command = [sys.executable, "-m", server, *inherit, *options]
            environment = {"ISSUER": self.issuer, "PYTHONPATH": str(HERE)}
            process = Process(command, one, log=self.logs[name], environment=environment)
        self._running.callback(process.stop)

    def port(self, api: str) -> int:
        return int(self.apis[api].rpartition(":")[2])

    def before(self, proxy: type[Proxy], *apis: str) -> Proxy:
        """Start a proxy before some of the servers."""
        started = proxy(self.folder, [self.apis[api] for api in apis])
        self._running.callback(started.stop)
        return started

    def token_of(self, name: str) -> str:
        """A token that the provider binds to somebody's certificate (RFC 8705, section 3)."""
        form = urlencode({"grant_type": "client_credentials", "resource": self._provider["resource"]})
        credentials = b64encode(":".join(self._provider["client"]).encode()).decode()
        fields = [
            ("Authorization", f"Basic {credentials}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(form))),
        ]
        endpoint = urlsplit(self._provider["token_endpoint"])
        assert endpoint.port is not None
        status, body = self.send(endpoint.port, endpoint.path, fields, name, body=form.encode())
        assert status == 200, body
        token: str = json.loads(body)["access_token"]
        return token

    def get(self, port: int, path: str, certificate: str | None, fields: Fields = ()) -> tuple[int, str]:
        """What a client gets with ada's token, over TLS, by a certificate or without one."""
        return self.send(port, path, [("Authorization", f"Bearer {self.token}"), *fields], certificate)

    def send(
        self, port: int, path: str, fields: Fields, certificate: str | None, body: bytes = b""
    ) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=self._authority.file)
        if certificate is not None:
            context.load_cert_chain(self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key")
        with connected(port) as plain, context.wrap_socket(plain, server_hostname="localhost") as encrypted:
            return exchange(encrypted, path, fields, body)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=ENOUGH, source_address=(CLIENT, 0))


def exchange(connection: socket.socket, path: str, fields: Fields, body: bytes = b"") -> tuple[int, str]:
    """Send a request, field by field, since some stand there twice; return the status and the body."""
    http = HTTPConnection("localhost")
    http.sock = connection
    http.putrequest("POST" if body else "GET", path)
    for name, value in fields:
        http.putheader(name, value)
    http.endheaders(body)
    response = http.getresponse()
    return response.status, response.read().decode()


@pytest.fixture(scope="module")
def world(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    missing = [proxy.program for proxy in PROXIES if found(proxy.program) is None]
    if missing:
        lacking(f"{', '.join(missing)} are not installed")
    with ExitStack() as running:
        yield World(tmp_path_factory.mktemp("certificates"), node, running)


@pytest.fixture(scope="module", params=PROXIES, ids=lambda proxy: proxy.program)
def proxy(request: pytest.FixtureRequest, world: World) -> Proxy:
    """Each proxy, before each server."""
    started: Proxy = world.before(request.param, *SERVERS, "uvicorn as it is")
    return started


@pytest.fixture(params=SERVERS)
def ask(request: pytest.FixtureRequest, world: World, proxy: Proxy) -> Callable[..., tuple[int, str]]:
    """Asks the API under a server, through a proxy: `ask(certificate, fields)`."""
    port = proxy.ports[world.apis[request.param]]
    return lambda certificate, fields=(): world.get(port, proxy.path, certificate, fields)


def assert_refused(answer: tuple[int, str], because: str) -> None:
    status, body = answer
    assert (status, json.loads(body)["error"]) == (401, "invalid_token")
    assert because in json.loads(body)["message"]


def test_the_provider_binds_its_token_to_the_certificate(world: World) -> None:
    payload = world.token.split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["cnf"] == {"x5t#S256": x5t_s256(world.certificates["ada"])}


def test_the_right_certificate_gets_in_another_and_none_do_not(ask: Callable[..., tuple[int, str]]) -> None:
    assert ask("ada") == (200, "billing")
    assert_refused(ask("eve"), "bound to another client certificate")
    assert_refused(ask(None), "")
    assert ask("ada") == (200, "billing")


def made_up(certificate: bytes) -> dict[str, Fields]:
    """What a thief sends, who has the token, and the certificate, which is not a secret."""
    pem = quote(ssl.DER_cert_to_PEM_cert(certificate), safe="")
    sequence = f":{b64encode(certificate).decode()}:"
    both = [("Ssl-Client-Cert", pem), ("Client-Cert", sequence)]
    return {
        "the field": both,
        "in other letters": [(name.upper(), value) for name, value in both]
        + [(n.lower(), v) for n, v in both],
        "twice": both * 2,
        "with an underscore": [(name.replace("-", "_"), value) for name, value in both],
        "for the address of the proxy": [*both, ("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")],
        "forwarded": [*both, ("Forwarded", "for=127.0.0.1")],
        "as a hop-by-hop field": [*both, ("Connection", "client-cert, ssl-client-cert")],
    }


@pytest.mark.parametrize("way", made_up(b""))
def test_a_header_that_the_client_made_up_does_not_get_in(
    way: str, ask: Callable[..., tuple[int, str]], world: World
) -> None:
    fields = made_up(world.certificates["ada"])[way]
    assert_refused(ask(None, fields), "")
    assert_refused(ask("eve", fields), "")


def test_whoever_reaches_the_api_without_the_proxy_is_not_believed(world: World) -> None:
    for server in SERVERS:
        for path in ("/nginx", "/haproxy", "/caddy", "/unix", "/tls"):
            for fields in made_up(world.certificates["ada"]).values():
                sent = [("Authorization", f"Bearer {world.token}"), *fields]
                with connected(world.port(server)) as direct:
                    assert_refused(exchange(direct, path, sent), "none was shown")


def test_uvicorn_as_it_is_gives_the_clients_address_for_the_proxys_and_the_log_says_so(
    world: World, proxy: Proxy
) -> None:
    port = proxy.ports[world.apis["uvicorn as it is"]]
    assert_refused(world.get(port, proxy.path, "ada"), "none was shown")
    # A client that names the proxy is taken for it.
    assert_refused(world.get(port, proxy.path, None, made_up(world.certificates["ada"])["forwarded"]), "")
    assert "--no-proxy-headers" in world.logs["uvicorn as it is"].read_text()


@pytest.mark.parametrize("api", ["uvicorn on a socket", "gunicorn on a socket"])
def test_a_unix_socket_is_the_proxy_where_it_is_configured(world: World, api: str) -> None:
    nginx = world.before(Nginx, api)
    (port,) = nginx.ports.values()
    assert world.get(port, "/unix", "ada") == (200, "billing")
    assert_refused(world.get(port, "/unix", "eve"), "bound to another")
    assert_refused(
        world.get(port, "/unix", None, made_up(world.certificates["ada"])["the field"]), "none was shown"
    )
    assert_refused(world.get(port, "/nginx", "ada"), "none was shown")


CLIENTS: dict[str, tuple[list[str], dict[str, str]]] = {
    "bash": (["sh", "-e"], {"curl ": f"curl --silent --interface {CLIENT} --cacert authority.pem "}),
    "js": (["node", "--input-type=module"], {"  headers": f"  localAddress: '{CLIENT}',\n  headers"}),
    "py": (
        [sys.executable, "-W", "error"],
        {"verify=context": f'transport=httpx2.HTTPTransport(verify=context, local_address="{CLIENT}")'},
    ),
}
"""The clients that docs/mtls.md shows: what runs each, and what makes it come from another address."""


@pytest.mark.parametrize("language", CLIENTS)
def test_the_clients_of_the_documentation_get_in(world: World, proxy: Proxy, language: str) -> None:
    command, replaced = CLIENTS[language]
    if language == "bash" and shutil.which("curl") is None:
        lacking("curl is not installed")
    address = f"https://localhost:{proxy.ports[world.apis['uvicorn']]}{proxy.path}"
    for name, answer in (("ada", "billing"), ("eve", "another client certificate")):
        files = {"client.pem": f"{name}.pem", "client.key": f"{name}.key"}
        program = shown(language, **{"https://api.example/orders": address, **files, **replaced})
        run = subprocess.run(
            command,
            input=program,
            cwd=world.folder,
            env={
                **os.environ,
                "TOKEN": world.token,
                "SSL_CERT_FILE": "authority.pem",
                "NODE_EXTRA_CA_CERTS": "authority.pem",
            },
            capture_output=True,
            text=True,
            timeout=ENOUGH,
            check=False,
        )
        assert answer in run.stdout, run.stderr


def test_gunicorn_that_ends_tls_itself_hands_the_certificate_over(world: World) -> None:
    port = world.port("gunicorn with TLS")
    assert world.get(port, "/tls", "ada") == (200, "billing")
    assert_refused(world.get(port, "/tls", "eve"), "bound to another")
    for fields in made_up(world.certificates["ada"]).values():
        assert_refused(world.get(port, "/tls", None, fields), "none was shown")
    assert_refused(world.get(port, "/nginx", "ada"), "none was shown")


def test_werkzeugs_own_server_hands_the_certificate_over(world: World) -> None:
    provider = Provider(world.issuer, audience="https://api.test")
    guard = wsgi.Guard(ResourceServer(provider, certificate=ClientCertificate.from_tls()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=world.folder / "authority.pem")
    context.load_cert_chain(world.folder / "server.pem", world.folder / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    served = make_server("127.0.0.1", 0, guard.protect(hello), ssl_context=context)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    try:
        assert world.get(served.port, "/", "ada") == (200, "hello")
        assert_refused(world.get(served.port, "/", "eve"), "bound to another")
        for fields in made_up(world.certificates["ada"]).values():
            assert_refused(world.get(served.port, "/", None, fields), "none was shown")
    finally:
        served.shutdown()
        thread.join(ENOUGH)
        served.server_close()


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]
