"""A small stand-in for Autobahn's fuzzing server, to try the `autobahn_client` example."""

from websockets.asyncio.server import serve

import messages
from checks import expect

AGENT = "tidewire"
ECHO_CASES = [
    ["one", messages.EMOJI, ""],
    [b"", messages.binary(126), messages.binary(65536)],
    [messages.text(messages.MIB), b"after a long one"],
]
RESERVED_OPCODE = b"\x83\x00"
EXPECTED_PATHS = [
    "/getCaseCount",
    *(f"/runCase?case={number}&agent={AGENT}" for number in range(1, len(ECHO_CASES) + 2)),
    f"/updateReports?agent={AGENT}",
]


class Stub:
    """Serves the echo cases and, as the last case, a protocol error."""

    def __init__(self):
        self.paths = []
        self.echoed = []
        self.compressed = 0
        self.error_code = None

    async def serve(self, connection):
        path = connection.request.path
        self.paths.append(path)
        self.compressed += "Sec-WebSocket-Extensions" in connection.response.headers
        if path == "/getCaseCount":
            await connection.send(str(len(ECHO_CASES) + 1))
        elif path.startswith("/runCase?case="):
            await self.run_case(connection, int(path.split("case=")[1].split("&")[0]))
        await connection.close()

    async def run_case(self, connection, number):
        if number > len(ECHO_CASES):
            connection.transport.write(RESERVED_OPCODE)
            await connection.wait_closed()
            self.error_code = connection.close_code
            return
        for message in ECHO_CASES[number - 1]:
            await connection.send(message)
            self.echoed.append(await connection.recv())


async def run(checks, starter, *arguments):
    """Runs the example once, then looks at what the stub saw."""
    stub = Stub()
    label = " ".join(("autobahn_client", *arguments))
    async with serve(stub.serve, "127.0.0.1", 0, max_size=None, ping_interval=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await checks.run(f"{label}: exit code 0", exit_code(starter, *arguments, url), 40)
    await checks.run(f"{label}: paths in order", same("paths", EXPECTED_PATHS, stub.paths))
    await checks.run(f"{label}: echoes", same("echoes", sum(ECHO_CASES, []), stub.echoed))
    await checks.run(f"{label}: protocol error", same("close code", 1002, stub.error_code))
    compressed = len(EXPECTED_PATHS) if "--deflate" in arguments else 0
    await checks.run(f"{label}: compressed", same("connections", compressed, stub.compressed))


async def exit_code(starter, *arguments):
    async with starter.example("autobahn_client", *arguments, AGENT) as child:
        expect("exit code", 0, await child.exit_code(30))


async def same(what, expected, got):
    expect(what, expected, got)
