"""nginx in front of `echo_server`, with the configuration that the guide shows."""

import asyncio
import contextlib
import pathlib
import re
from functools import partial

import client
import messages
import node
import server
import websockets
from checks import expect
from network import expect_says, failure, free_port, free_ports, listening

PAGE = pathlib.Path(__file__).parents[2] / "docs/guide/behind-a-proxy.md"
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
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
IDLE_SECONDS = 1


def replaced(text, changes):
    """Each of `changes` must be there to be made."""
    for old, new in changes.items():
        expect(f"lines of the page with {old}", True, old in text)
        text = text.replace(old, new)
    return text


def configuration(certificates, folder, ports, upstream, timeout):
    """What the guide shows, with paths, ports and a timeout for this machine."""
    shown = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    changes = {
        "listen 80;": f"listen 127.0.0.1:{ports[0]};",
        "listen 443 ssl;": f"listen 127.0.0.1:{ports[1]} ssl;",
        "/etc/nginx/example.com.pem": str(certificates.good),
        "/etc/nginx/example.com.key": str(certificates.good),
        "127.0.0.1:9001": upstream,
    }
    if timeout:
        changes["60s"] = f"{timeout}s"
    return AROUND.format(folder=folder, servers=replaced(shown, changes))


@contextlib.asynccontextmanager
async def nginx(starter, certificates, folder, upstream, timeout=None):
    """Runs nginx in front of a server; yields the URLs without and with TLS."""
    ports = free_ports(2)
    path = folder / "nginx.conf"
    path.write_text(configuration(certificates, folder, ports, upstream, timeout))
    command = ("nginx", "-e", "stderr", "-p", str(folder), "-c", str(path))
    async with listening(starter, ports[1], *command):
        yield f"ws://localhost:{ports[0]}/chat", f"wss://localhost:{ports[1]}/chat"


async def expect_failure(starter, says, *arguments):
    expect_says(says, await failure(starter, *arguments))


async def idle_connection_ends(url):
    """Nothing is sent for longer than the timeout."""
    async with websockets.connect(url, ping_interval=None) as peer:
        try:
            await asyncio.wait_for(peer.recv(), 10 * IDLE_SECONDS)
        except websockets.ConnectionClosedError as problem:
            expect("a Close frame", None, problem.rcvd)
            return
        raise AssertionError("a message arrived")


async def pings_keep_it_open(url):
    """Nothing but pings is sent for several times the timeout."""
    async with websockets.connect(url, ping_interval=IDLE_SECONDS / 4) as peer:
        await asyncio.sleep(3 * IDLE_SECONDS)
        await peer.send("still here")
        expect("the echo", "still here", await peer.recv())


async def run_clients(checks, starter, certificates, plain, secure):
    label = "echo_server behind nginx"
    await checks.run(f"{label}: echo_client: lines", server.expect_lines(starter, plain))
    check = server.expect_lines(starter, "--ca", certificates.ca, secure)
    await checks.run(f"{label}: echo_client --ca: lines", check)
    check = expect_failure(starter, "UnknownIssuer", secure)
    await checks.run(f"{label}: echo_client: an unknown issuer", check)
    sizes = messages.SMALL["sizes"] + [messages.MIB]
    await client.run_library(checks, f"{label}: websockets", client.websockets_client, plain, sizes)
    await node.run_client(checks, starter, label, plain, {**messages.SMALL, "sizes": sizes})
    connect = partial(client.websockets_client, ssl=certificates.client_context())
    await client.run_library(checks, f"{label}, TLS: websockets", connect, secure, sizes)


async def run(checks, starter, certificates, folder):
    label = "echo_server behind nginx"
    async with starter.server("echo_server") as (_, url):
        upstream = url.removeprefix("ws://")
        async with nginx(starter, certificates, folder, upstream) as (plain, secure):
            await run_clients(checks, starter, certificates, plain, secure)
        async with nginx(starter, certificates, folder, upstream, IDLE_SECONDS) as (plain, _):
            await checks.run(f"{label}: an idle connection is cut", idle_connection_ends(plain))
            await checks.run(f"{label}: pings keep a connection open", pings_keep_it_open(plain))
    async with nginx(starter, certificates, folder, f"127.0.0.1:{free_port()}") as (plain, _):
        check = expect_failure(starter, "502", plain)
        await checks.run(f"{label}: without the server", check)
