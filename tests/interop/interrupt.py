"""SIGINT: an echo server says 1001 to every peer and ends soon."""

import asyncio
import contextlib

from checks import expect
from client import websockets_client

PEERS = 20
REPETITIONS = 10
SECONDS_TO_END = 2.0


async def interrupt_and_expect_end(child):
    code, seconds = await child.interrupt(10)
    expect("exit code", 0, code)
    what = f"ended within {SECONDS_TO_END} s (took {seconds:.2f} s)"
    expect(what, True, seconds < SECONDS_TO_END)


async def opened_peers(stack, url):
    """As many peers as PEERS says, each of which has had one echo; `stack` closes them."""
    opening = (stack.enter_async_context(websockets_client(url)) for _ in range(PEERS))
    opened = await asyncio.gather(*opening)
    for peer in opened:
        await peer.send("hello")
        expect("echo", "hello", await peer.receive())
    return opened


async def every_peer_is_told(starter, name):
    async with starter.server(name) as (child, url), contextlib.AsyncExitStack() as stack:
        opened = await opened_peers(stack, url)
        _, *closes = await asyncio.gather(
            interrupt_and_expect_end(child), *(peer.closed() for peer in opened)
        )
        expect("close codes", [1001] * PEERS, [code for code, _ in closes])


async def silent_peer_does_not_hold_it(starter, name):
    """One peer says nothing at all, not even a handshake."""
    async with starter.server(name) as (child, url):
        host, port = url.removeprefix("ws://").rsplit(":", 1)
        _, writer = await asyncio.open_connection(host, int(port))
        try:
            async with websockets_client(url) as peer:  # so the silent one is accepted too
                await peer.send("hello")
                expect("echo", "hello", await peer.receive())
            await interrupt_and_expect_end(child)
        finally:
            writer.close()


async def leaving_peers_do_not_hide_it(starter, name):
    """The server is busy with peers that leave when the signal arrives."""
    for _ in range(REPETITIONS):
        async with starter.server(name) as (child, url), contextlib.AsyncExitStack() as stack:
            for peer in await opened_peers(stack, url):
                peer.drop()
            await asyncio.sleep(0)  # lets the event loop cut them
            await interrupt_and_expect_end(child)


async def run(checks, starter):
    for name in ("echo_server", "echo_blocking"):
        await checks.run(f"{name}: SIGINT with {PEERS} peers", every_peer_is_told(starter, name))
        await checks.run(
            f"{name}: SIGINT with a silent peer", silent_peer_does_not_hold_it(starter, name)
        )
        await checks.run(
            f"{name}: SIGINT while peers leave", leaving_peers_do_not_hide_it(starter, name)
        )
