"""Python servers (websockets and aiohttp) that put one client through a scenario."""

import asyncio
import contextlib
from functools import partial

from aiohttp import web
from websockets.asyncio.server import serve

import messages
import peers
from checks import expect

# Scenario, what is checked after it, whether the close was clean, seconds it may take.
EXITS = (
    ("mirror", "exit code after close 1000", True, 130),
    ("close", "exit code after close 1011", True, 30),
    ("drop", "exit code after a cut connection", False, 30),
)


@contextlib.asynccontextmanager
async def websockets_server(serve_peer, **options):
    """Runs the coroutine function `serve_peer` for each client; yields the URL."""

    async def handler(connection):
        await serve_peer(peers.Websockets(connection))

    options = {"max_size": None, "ping_interval": None, **options}
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def aiohttp_server(serve_peer):
    """The same with `aiohttp`."""

    async def handler(request):
        connection = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await connection.prepare(request)
        await serve_peer(peers.Aiohttp(connection, request.transport))
        return connection

    application = web.Application()
    application.router.add_get("/", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def mirrored(peer, message):
    """The client must send back what it is sent."""
    await peer.send(message)
    whole = type(message[0])().join(message) if isinstance(message, list) else message
    expect("sent back", whole, await peer.receive())


async def closed(peer, code, reason):
    expect("close", (code, reason), await peer.close(code, reason))


async def mirror(checks, label, peer):
    """Every message must come back, then the server closes with 1000."""
    cases = list(messages.messages(messages.FULL["sizes"]))
    if peer.fragments:
        cases += messages.fragmented()
    steps = [(name, partial(mirrored, peer, message)) for name, message in cases]
    steps.append(("ping", partial(peer.ping, b"are you there?")))
    steps.append(("close 1000", partial(closed, peer, 1000, "done")))
    for name, step in steps:
        if not await checks.run(f"{label}: {name}", step()):
            peer.drop()  # the steps that are left fail at once


async def close_with_1011(peer):
    """One message, then the server closes with 1011."""
    await mirrored(peer, "one message")
    await closed(peer, 1011, "on purpose")


async def drop(peer):
    """One message, then the server cuts the TCP connection."""
    await mirrored(peer, "one message")
    peer.drop()


async def echo_lines(closes, peer):
    """Echoes until the client closes; its code and reason go to the list `closes`."""
    async for message in peer.connection:
        await peer.send(message)
    closes.append(await peer.closed())


async def mirror_exit_code(starter, server, serve_peer, *arguments):
    """Runs `echo_client --mirror` against a server; returns its exit code."""
    served = asyncio.get_running_loop().create_future()

    async def serve_and_tell(peer):
        try:
            served.set_result(await serve_peer(peer))
        except Exception as problem:
            served.set_exception(problem)

    async with server(serve_and_tell) as url:
        async with starter.example("echo_client", *arguments, "--mirror", url) as child:
            code = await child.exit_code(120)
        await asyncio.wait_for(served, 20)
        return code


async def expect_exit(clean, exit_code):
    """Awaits an exit code, which must be 0 exactly if the close was clean."""
    code = await exit_code
    if clean:
        expect("exit code", 0, code)
    else:
        expect(f"exit code {code} is that of an ordinary failure", True, code > 0)


async def expect_lines(starter, *arguments):
    """Line mode: three lines there and back, then a clean close at the end of input."""
    async with starter.example("echo_client", *arguments, stdin=asyncio.subprocess.PIPE) as child:
        sent = ["one", "two 🌊", "three three three"]
        child.process.stdin.write("".join(f"{line}\n" for line in sent).encode())
        for line in sent:
            got = await child.line()
            while got is not None and line not in got:
                got = await child.line()
            expect(f"output has {line!r}", True, got is not None)
        child.process.stdin.close()
        expect("exit code", 0, await child.exit_code())


async def lines(starter):
    closes = []
    async with websockets_server(partial(echo_lines, closes)) as url:
        await expect_lines(starter, url)
    expect("close codes the server saw", [1000], [code for code, _ in closes])


async def run_scenarios(checks, starter, label, server, *arguments):
    """Every scenario with `echo_client --mirror` and more arguments."""
    scenarios = {
        "mirror": partial(mirror, checks, label),
        "close": close_with_1011,
        "drop": drop,
    }
    for scenario, name, clean, seconds in EXITS:
        exit_code = mirror_exit_code(starter, server, scenarios[scenario], *arguments)
        await checks.run(f"{label}: {name}", expect_exit(clean, exit_code), seconds)


async def run(checks, starter):
    """All checks of `echo_client` against the Python servers."""
    for library, server in (("websockets", websockets_server), ("aiohttp", aiohttp_server)):
        await run_scenarios(checks, starter, f"echo_client --mirror: {library}", server)
    await checks.run("echo_client: lines", lines(starter))
