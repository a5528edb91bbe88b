"""Servers that compress (websockets, aiohttp and ws) put `echo_client --deflate` through it."""

import contextlib
import json
import pathlib
from functools import partial

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

import server
from checks import expect
from compression import NO_LIMITS, SIDES, agreed, as_parameters, converse, converse_as_agreed
from compression import for_node, name_of, settings, token_ratios, with_takeover
from wire import Wire

SCRIPT = str(pathlib.Path(__file__).parent / "compression.mjs")
# What `websockets` answers if nobody tells it what.
DEFAULTS = with_takeover(12, 12)


async def mirror(starter, start_server, serve_peer):
    """`echo_client` against a server; `serve_peer` gets the peer and the wire between them."""
    wire = Wire()

    @contextlib.asynccontextmanager
    async def behind_wire(serve):
        async with start_server(serve) as url, wire.to(url) as url:
            yield url

    serve = partial(serve_peer, wire)
    code = server.mirror_exit_code(starter, behind_wire, serve, "--deflate")
    await server.expect_exit(True, code)


async def websockets(setting, wire, peer):
    await converse_as_agreed(peer, wire, setting, agreed(setting))


async def aiohttp(wire, peer):
    expect("window bits", 15, peer.connection.compress)
    await converse(peer, wire, NO_LIMITS)


async def declined(wire, peer):
    """A server that agrees to nothing gets plain messages."""
    offer = peer.connection.request.headers.get("Sec-WebSocket-Extensions")
    expect("offer", "permessage-deflate; client_max_window_bits", offer)
    ratios = await token_ratios(peer, wire)
    expect("plain", [True, True], [ratios[side] > 1 for side in SIDES])
    await server.closed(peer, 1000, "done")


async def ws(starter, node, url):
    async with starter.example("echo_client", "--deflate", "--mirror", url) as child:
        result = json.loads(await node.line())
        expect("error of the server", None, result["error"])
        expect("exit code", 0, await child.exit_code())


async def run(checks, starter):
    """All checks of `echo_client --deflate`."""
    label = "echo_client --deflate: websockets"
    plain = partial(server.websockets_server, compression=None)
    for setting in settings():
        factory = ServerPerMessageDeflateFactory(**as_parameters(setting))
        start = partial(plain, extensions=[factory])
        check = mirror(starter, start, partial(websockets, setting))
        await checks.run(f"{label}: {name_of(setting)}", check)
    check = mirror(starter, server.websockets_server, partial(websockets, DEFAULTS))
    await checks.run(f"{label}: defaults", check)
    await checks.run(f"{label}: declined", mirror(starter, plain, declined))
    check = mirror(starter, server.aiohttp_server, aiohttp)
    await checks.run("echo_client --deflate: aiohttp", check)
    async with starter.command("node", SCRIPT, "server", for_node()) as node:
        address = await node.address()
        for number, setting in enumerate(settings()):
            check = ws(starter, node, f"ws://{address}/{number}")
            await checks.run(f"echo_client --deflate: ws: {name_of(setting)}", check)
