"""What is between a client and its server: certificates, ports, and how a client fails."""

import asyncio
import contextlib
import pathlib
import socket
import ssl
from datetime import datetime

import trustme

import server
from checks import expect

SCRIPT = str(pathlib.Path(__file__).parent / "network.mjs")


class Certificates:
    """A CA of our own, and certificates of it as PEM files with their keys."""

    def __init__(self, folder):
        self.folder = folder
        self._authority = trustme.CA()
        self.ca = self._write("ca", self._authority.cert_pem)
        self.good = self._issue("good", self._authority, "localhost", "127.0.0.1")
        self.other_host = self._issue("other-host", self._authority, "other.example")
        self.stranger = self._issue("stranger", trustme.CA(), "localhost", "127.0.0.1")
        year_2001 = {"not_before": datetime(2001, 1, 1), "not_after": datetime(2002, 1, 1)}
        self.expired = self._issue("expired", self._authority, "localhost", **year_2001)

    def _issue(self, name, authority, *hosts, **validity):
        certificate = authority.issue_cert(*hosts, **validity)
        return self._write(name, certificate.private_key_and_cert_chain_pem)

    def _write(self, name, blob):
        path = self.folder / f"{name}.pem"
        blob.write_to_path(path)
        return str(path)

    def client_context(self):
        """What a Python client needs to trust the CA."""
        return ssl.create_default_context(cafile=self.ca)


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Requests:
    """A `websockets` server that counts the requests, and serves each with `serve_peer`."""

    def __init__(self, certificate=None):
        self.certificate = certificate
        self.count = 0

    @contextlib.asynccontextmanager
    async def serve(self, serve_peer, host="localhost"):
        """Yields the URL, with `host` as the server's name."""

        async def note(connection, request):
            self.count += 1

        options = {"process_request": note}
        if self.certificate:
            options["ssl"] = server_context(self.certificate)
        async with server.websockets_server(serve_peer, **options) as url:
            scheme = "wss" if self.certificate else "ws"
            yield f"{scheme}://{host}:{url.rsplit(':', 1)[1]}"


async def nobody(peer):
    """Serves a peer that should never have come."""
    await peer.closed()


async def failure(starter, *arguments):
    """Runs `echo_client`, which must fail in an ordinary way; returns what it says of it."""
    async with starter.example("echo_client", "--mirror", *arguments) as child:
        code = await child.exit_code()
        errors = child.errors()
    expect(f"exit code after {errors!r}", 1, code)
    return errors


def expect_says(part, errors):
    expect(f"{errors!r} says {part!r}", True, part in errors)


def free_ports(count):
    """Ports for a program that cannot choose them."""
    with contextlib.ExitStack() as stack:
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        for listener in listeners:
            stack.enter_context(listener)
        return [listener.getsockname()[1] for listener in listeners]


def free_port():
    """The same for one port."""
    return free_ports(1)[0]


@contextlib.asynccontextmanager
async def listening(starter, port, *command):
    """Runs a program that does not tell when it listens; yields its address."""
    async with starter.command(*command) as child:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                ended = child.process.returncode
                expect(f"exit code of {child.name}, after {child.errors()!r}", None, ended)
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        yield f"127.0.0.1:{port}"
