"""A TCP proxy that counts what passes, to see whether compression is in use."""

import asyncio
import contextlib


class Wire:
    """The bytes that clients and servers sent through the proxy, handshakes included."""

    def __init__(self):
        self.sent = {"client": 0, "server": 0}

    @contextlib.asynccontextmanager
    async def to(self, url):
        """Runs a proxy to the server at `url`; yields the URL of the proxy."""
        address, slash, path = url.removeprefix("ws://").partition("/")
        host, port = address.rsplit(":", 1)

        async def serve(reader, writer):
            with contextlib.suppress(OSError):
                upstream_reader, upstream = await asyncio.open_connection(host, int(port))
                with contextlib.closing(upstream), contextlib.closing(writer):
                    await asyncio.gather(
                        self._pass_on("client", reader, upstream),
                        self._pass_on("server", upstream_reader, writer),
                    )

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
            yield f"ws://127.0.0.1:{proxy.sockets[0].getsockname()[1]}{slash}{path}"

    async def _pass_on(self, sender, reader, writer):
        while data := await reader.read(1 << 16):
            self.sent[sender] += len(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()
