"""Clients that compress (websockets, aiohttp and ws) against the echo servers with --deflate."""

import asyncio
import contextlib
import pathlib

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

import client
import node
from checks import expect
from compression import NO_LIMITS, OWN_BITS, agreed, as_parameters, converse, converse_as_agreed
from compression import for_node, json_text, name_of, settings, token
from server import mirrored
from wire import Wire

SCRIPT = str(pathlib.Path(__file__).parent / "compression.mjs")
CONNECTIONS_OF_EACH = 3
MESSAGES_IN_CROWD = 30


def websockets_client(url, setting):
    factory = ClientPerMessageDeflateFactory(**as_parameters(setting))
    return client.websockets_client(url, compression=None, extensions=[factory])


async def websockets(url, setting):
    wire = Wire()
    async with wire.to(url) as url, websockets_client(url, setting) as peer:
        await converse_as_agreed(peer, wire, setting, agreed(setting, OWN_BITS))


async def defaults(url):
    """What `websockets` offers if nobody tells it what: the server may choose the window."""
    wire = Wire()
    parameters = [f"client_max_window_bits={OWN_BITS}"]
    async with wire.to(url) as url, client.websockets_client(url) as peer:
        await converse_as_agreed(peer, wire, NO_LIMITS, parameters)


async def not_offered(url):
    """A client that offers nothing gets nothing."""
    async with client.websockets_client(url, compression=None) as peer:
        answer = peer.connection.response.headers.get("Sec-WebSocket-Extensions")
        expect("Sec-WebSocket-Extensions", None, answer)
        await mirrored(peer, token(100))


async def crowd(url):
    """Connections of every setting talk at once, each with a text of its own."""

    async def talk(peer, number):
        for count in range(MESSAGES_IN_CROWD):
            await mirrored(peer, f"{number} {json_text(100 + 40 * number)} {count}")

    async with contextlib.AsyncExitStack() as stack:
        opening = (
            stack.enter_async_context(websockets_client(url, setting))
            for setting in list(settings()) * CONNECTIONS_OF_EACH
        )
        opened = await asyncio.gather(*opening)
        await asyncio.gather(*(talk(peer, number) for number, peer in enumerate(opened)))


async def aiohttp(url):
    wire = Wire()
    async with wire.to(url) as url, client.aiohttp_client(url) as peer:
        expect("window bits", OWN_BITS, peer.connection.compress)
        await converse(peer, wire, NO_LIMITS)


async def run(checks, starter, name):
    """All checks of one echo server."""
    async with starter.server(name, "--deflate") as (_, url):
        label = f"{name} --deflate: websockets"
        for setting in settings():
            await checks.run(f"{label}: {name_of(setting)}", websockets(url, setting))
        await checks.run(f"{label}: defaults", defaults(url))
        await checks.run(f"{label}: not offered", not_offered(url))
        await checks.run(f"{label}: connections of every setting", crowd(url), 60)
        await checks.run(f"{name} --deflate: aiohttp", aiohttp(url))
        script = (SCRIPT, "client", for_node(OWN_BITS), url)
        async with starter.command("node", *script) as child:
            await node.take_results(checks, child, f"{name} --deflate: ws")
