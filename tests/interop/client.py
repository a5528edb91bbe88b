"""Python clients (websockets and aiohttp) against the echo servers."""

import asyncio
import contextlib

import aiohttp
from websockets.asyncio.client import connect

import messages
import peers
from checks import expect

MESSAGES_IN_CROWD = 100


@contextlib.asynccontextmanager
async def websockets_client(url, **options):
    """Connects with `websockets`, which offers permessage-deflate by default."""
    options = {"max_size": None, "ping_interval": None, "proxy": None, **options}
    async with connect(url, **options) as connection:
        yield peers.Websockets(connection)


@contextlib.asynccontextmanager
async def aiohttp_client(url):
    """Connects with `aiohttp`, which is told to offer permessage-deflate."""
    async with aiohttp.ClientSession() as session:
        options = {"autoping": False, "max_msg_size": 0, "compress": 15}
        async with session.ws_connect(url, **options) as connection:
            yield peers.Aiohttp(connection)


async def echo(client, url, message):
    async with client(url) as peer:
        await peer.send(message)
        expect("echo", message, await peer.receive())


async def echo_fragments(client, url, fragments):
    async with client(url) as peer:
        await peer.send(fragments)
        expect("echo", type(fragments[0])().join(fragments), await peer.receive())


async def ping(client, url, count):
    async with client(url) as peer:
        for number in range(count):
            await peer.ping(f"ping {number}".encode())


async def close(client, url, code, reason):
    async with client(url) as peer:
        expect("close", (code, reason), await peer.close(code, reason))


async def close_after_echo(client, url, code, reason):
    async with client(url) as peer:
        await peer.send("before the close")
        expect("echo", "before the close", await peer.receive())
        expect("close", (code, reason), await peer.close(code, reason))


async def ping_between_fragments(url):
    """The pong must come while the message is still incomplete."""
    async with websockets_client(url) as peer:

        async def fragments():
            yield "first, "
            await peer.ping(b"between")
            yield "second"

        await peer.send(fragments())
        expect("echo", "first, second", await peer.receive())


async def websockets_declines_deflate(url):
    async with websockets_client(url) as peer:
        offer = peer.connection.request.headers.get("Sec-WebSocket-Extensions", "")
        expect("offered", True, "permessage-deflate" in offer)
        answer = peer.connection.response.headers.get("Sec-WebSocket-Extensions")
        expect("Sec-WebSocket-Extensions", None, answer)
        await peer.send(messages.EMOJI)
        expect("echo", messages.EMOJI, await peer.receive())


async def aiohttp_declines_deflate(url):
    async with aiohttp_client(url) as peer:
        expect("window bits", 0, peer.connection.compress)
        await peer.send(messages.EMOJI)
        expect("echo", messages.EMOJI, await peer.receive())


async def crowd(url, size):
    """Opens all connections before the first message, then talks on all at once."""

    async def talk(peer, number):
        for count in range(MESSAGES_IN_CROWD):
            message = f"connection {number}, message {count}"
            await peer.send(message)
            expect("echo", message, await peer.receive())

    async with contextlib.AsyncExitStack() as stack:
        opening = (stack.enter_async_context(websockets_client(url)) for _ in range(size))
        opened = await asyncio.gather(*opening)
        await asyncio.gather(*(talk(peer, number) for number, peer in enumerate(opened)))


async def run_library(checks, label, client, url, sizes):
    """The checks that both libraries can do."""
    for name, message in messages.messages(sizes):
        await checks.run(f"{label}: {name}", echo(client, url, message))
    await checks.run(f"{label}: ping", ping(client, url, 1))
    await checks.run(f"{label}: ten pings", ping(client, url, 10))
    await checks.run(f"{label}: close 4321", close_after_echo(client, url, 4321, "ebb 🌊"))
    await checks.run(f"{label}: close 1000", close(client, url, 1000, ""))


async def run(checks, server, url, plan):
    """All checks of one echo server."""
    label = f"{server}: websockets"
    await run_library(checks, label, websockets_client, url, plan["sizes"])
    for name, fragments in messages.fragmented():
        await checks.run(f"{label}: {name}", echo_fragments(websockets_client, url, fragments))
    await checks.run(f"{label}: ping between fragments", ping_between_fragments(url))
    await checks.run(f"{label}: permessage-deflate declined", websockets_declines_deflate(url))
    if plan["crowd"]:
        await checks.run(f"{label}: {plan['crowd']} connections", crowd(url, plan["crowd"]), 60)
    label = f"{server}: aiohttp"
    await run_library(checks, label, aiohttp_client, url, plan["sizes"])
    await checks.run(f"{label}: permessage-deflate declined", aiohttp_declines_deflate(url))
