"""Clients (websockets, aiohttp and ws) through axum, over HTTP/1.1."""

from websockets.exceptions import InvalidStatus

import client
import compression_clients
import messages
import node
from checks import expect
from compression import OWN_BITS, for_node

NAME = "axum_server"


async def foreign_origin(url):
    """A page of another origin is refused before the connection is open."""
    try:
        async with client.websockets_client(url, origin="https://elsewhere.example"):
            expect("a refusal", True, False)
    except InvalidStatus as refusal:
        expect("status", 403, refusal.response.status_code)
        expect("body", b"origin not allowed\n", bytes(refusal.response.body))


async def run(checks, starter):
    """All checks of the server on axum, which agrees to compression."""
    async with starter.server(NAME) as (_, url):
        url = f"{url}/chat"
        sizes = messages.SMALL["sizes"]
        await client.run_library(checks, f"{NAME}: websockets", client.websockets_client, url, sizes)
        await client.run_library(checks, f"{NAME}: aiohttp", client.aiohttp_client, url, sizes)
        for name, check in (
            ("websockets: permessage-deflate", compression_clients.defaults),
            ("websockets: not offered", compression_clients.not_offered),
            ("aiohttp: permessage-deflate", compression_clients.aiohttp),
            ("websockets: foreign Origin", foreign_origin),
        ):
            await checks.run(f"{NAME}: {name}", check(url))
        await checks.run(f"{NAME}: websockets: 50 connections", client.crowd(url, 50), 60)
        script = (compression_clients.SCRIPT, "client", for_node(OWN_BITS), url)
        async with starter.command("node", *script) as child:
            await node.take_results(checks, child, f"{NAME}: ws")
