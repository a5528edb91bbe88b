"""One face for the connections of both Python libraries, as client or as server."""

import aiohttp


class Websockets:
    """A connection of the `websockets` library."""

    fragments = True

    def __init__(self, connection):
        self.connection = connection

    async def send(self, message):
        """Sends one message; a list is sent as one fragment per item."""
        await self.connection.send(message)

    async def receive(self):
        return await self.connection.recv()

    async def ping(self, payload):
        """Sends a ping and waits for the pong with the same payload."""
        await (await self.connection.ping(payload))

    async def close(self, code, reason):
        """Closes; returns the code and the reason the other side sent."""
        await self.connection.close(code, reason)
        return self.connection.close_code, self.connection.close_reason

    async def closed(self):
        """Waits until the other side closes; returns its code and reason."""
        await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason

    def drop(self):
        """Cuts the TCP connection, with no close frame."""
        self.connection.transport.abort()


class Aiohttp:
    """A connection of the `aiohttp` library, made with autoping=False.

    The transport is what `drop` cuts; only servers have it.
    """

    fragments = False

    def __init__(self, connection, transport=None):
        self.connection = connection
        self.transport = transport

    async def send(self, message):
        if isinstance(message, str):
            await self.connection.send_str(message)
        else:
            await self.connection.send_bytes(message)

    async def receive(self):
        return await self._receive(aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)

    async def ping(self, payload):
        await self.connection.ping(payload)
        pong = await self._receive(aiohttp.WSMsgType.PONG)
        if pong != payload:
            raise AssertionError(f"pong: expected {payload!r}, got {pong!r}")

    async def close(self, code, reason):
        """Closes; aiohttp tells the code the other side sent, but no reason."""
        await self.connection.close(code=code, message=reason.encode())
        return self.connection.close_code, reason

    def drop(self):
        self.transport.abort()

    async def _receive(self, *kinds):
        frame = await self.connection.receive()
        if frame.type not in kinds:
            raise AssertionError(f"expected {kinds}, got {frame!r}")
        return bytes(frame.data) if isinstance(frame.data, bytearray) else frame.data
