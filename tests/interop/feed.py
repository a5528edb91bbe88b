"""Servers that go and come back under `feed`."""

import asyncio
import contextlib
from functools import partial

from websockets.asyncio.server import serve

import peers
from checks import expect
from network import expect_says
from proxies import microsocks

SUBSCRIPTION = '{"subscribe":"tides"}'


def opens(step):
    """Whether a step is one of an open connection; a status is not."""
    return step == "cut" or step >= 1000


class Feed:
    """Takes one step for each connection: cuts it, closes it with a code, or answers a status.

    Each connection that is open gets one message when it has subscribed.
    """

    def __init__(self, *steps):
        self.steps = steps
        self.tries = 0
        self.subscriptions = []

    @contextlib.asynccontextmanager
    async def serve(self):
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._answer) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def expected_lines(self):
        opened = sum(opens(step) for step in self.steps)
        return [f"message {number}" for number in range(1, opened + 1)]

    async def _answer(self, connection, request):
        connection.step = self.steps[self.tries]
        self.tries += 1
        if not opens(connection.step):
            response = connection.respond(connection.step, "Not now.\n")
            response.headers["Retry-After"] = "0"
            return response

    async def _serve(self, connection):
        peer = peers.Websockets(connection)
        self.subscriptions.append(await peer.receive())
        await peer.send(f"message {len(self.subscriptions)}")
        if connection.step == "cut":
            await peer.ping(b"")  # so the message has arrived
            peer.drop()
        else:
            await peer.close(connection.step, "")


async def follow(starter, feed, exit_code, *, says="", environment=None):
    """Runs `feed` to its end: each subscription, each message, and the exit code must be right."""
    async with feed.serve() as url:
        arguments = ("feed", url, SUBSCRIPTION)
        async with starter.example(*arguments, environment=environment) as child:
            code = await child.exit_code(30)
            errors = child.errors()
            lines = []
            while (line := await child.line()) is not None:
                lines.append(line)
    expect("tries", len(feed.steps), feed.tries)
    expect("lines", feed.expected_lines(), lines)
    expect("subscriptions", [SUBSCRIPTION] * len(lines), feed.subscriptions)
    expect(f"exit code after {errors!r}", exit_code, code)
    expect_says(says, errors)


async def through_proxy(starter, folder):
    """A proxy of the environment."""
    async with microsocks(starter, folder) as proxy:
        await follow(starter, Feed("cut", 1000), 0, environment={"ALL_PROXY": proxy})


async def interrupted(starter):
    """SIGINT ends it while it waits."""
    feed = Feed(503, 503)
    async with feed.serve() as url, starter.example("feed", url, SUBSCRIPTION) as child:
        while feed.tries < 2:
            await asyncio.sleep(0.02)
        code, _ = await child.interrupt(2)
    expect("exit code", 0, code)


async def run(checks, starter, folder):
    """All checks of `feed`, those together that wait most of their time."""
    follows = partial(follow, starter)
    await checks.run("feed: 1008 ends it", follows(Feed(1008), 1, says="1008"))
    await checks.run("feed: 404 ends it", follows(Feed(404), 1, says="404"))
    await asyncio.gather(
        checks.run("feed: cut, 1012, 503, then 1000", follows(Feed("cut", 1012, 503, 1000), 0), 40),
        checks.run("feed: 1001, 1011, then 1000", follows(Feed(1001, 1011, 1000), 0), 40),
        checks.run("feed: 429, then 1000", follows(Feed(429, 1000), 0)),
        checks.run("feed: SIGINT while it waits", interrupted(starter)),
        checks.run("feed: a proxy of the environment", through_proxy(starter, folder)),
    )
