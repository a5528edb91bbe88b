"""TLS with a CA of our own: `echo_client --ca`."""

import contextlib
from functools import partial

import messages
import node
import server
from checks import expect
from network import SCRIPT, Requests, expect_says, failure, nobody, server_context

async def one_message(peer):
    await server.mirrored(peer, messages.EMOJI)
    await server.closed(peer, 1000, "done")


@contextlib.asynccontextmanager
async def secure_server(context, host, serve_peer):
    async with server.websockets_server(serve_peer, ssl=context) as url:
        yield f"wss://{host}:{url.rsplit(':', 1)[1]}"


async def accepted(starter, certificates, host, adjust=None):
    """A good certificate, for a name or an address; `adjust` changes the server's context."""
    context = server_context(certificates.good)
    if adjust:
        adjust(context)
    start = partial(secure_server, context, host)
    code = server.mirror_exit_code(starter, start, one_message, "--ca", certificates.ca)
    await server.expect_exit(True, code)


def only_tls_12(context):
    context.maximum_version = context.minimum_version.TLSv1_2


async def refused_by_client(starter, certificate, says, *arguments):
    """The client must leave before it sends a request to `websockets`."""
    requests = Requests(certificate)
    async with requests.serve(nobody) as url:
        expect_says(says, await failure(starter, *arguments, url))
    expect("requests", 0, requests.count)


async def refused_by_client_of_node(starter, certificate, says, *arguments):
    """The same with Node."""
    async with starter.command("node", SCRIPT, "tls", certificate) as child:
        url = f"wss://localhost:{(await child.address()).rsplit(':', 1)[1]}"
        expect_says(says, await failure(starter, *arguments, url))
        expect("what the server saw", "no TLS", await child.line())


async def tls_to_plain_server(starter, certificates):
    requests = Requests()
    async with requests.serve(nobody) as url:
        url = url.replace("ws:", "wss:")
        errors = await failure(starter, "--ca", certificates.ca, url)
        expect_says("tls", errors.lower())
    expect("requests", 0, requests.count)


async def plain_to_tls_server(starter, certificates):
    requests = Requests(certificates.good)
    async with requests.serve(nobody) as url:
        await failure(starter, url.replace("wss:", "ws:"))
    expect("requests", 0, requests.count)


async def run(checks, starter, certificates):
    label = "echo_client --ca"
    trusting = ("--ca", certificates.ca)
    start = partial(secure_server, server_context(certificates.good), "localhost")
    await server.run_scenarios(checks, starter, f"{label}: websockets", start, *trusting)
    await node.run_scenarios(checks, starter, f"{label}: ws", certificates.good, *trusting)
    for name, host, adjust in (
        ("by address", "127.0.0.1", None),
        ("TLS 1.2", "localhost", only_tls_12),
    ):
        await checks.run(f"{label}: {name}", accepted(starter, certificates, host, adjust))
    for name, certificate, says, arguments in (
        ("an expired certificate", certificates.expired, "expired", trusting),
        ("another host's certificate", certificates.other_host, "not valid for name", trusting),
        ("an unknown issuer", certificates.stranger, "UnknownIssuer", trusting),
        ("an issuer that is not told", certificates.good, "UnknownIssuer", ()),
    ):
        check = refused_by_client(starter, certificate, says, *arguments)
        await checks.run(f"{label}: websockets: {name}", check)
        check = refused_by_client_of_node(starter, certificate, says, *arguments)
        await checks.run(f"{label}: ws: {name}", check)
    check = tls_to_plain_server(starter, certificates)
    await checks.run(f"{label}: wss to a server without TLS", check)
    check = plain_to_tls_server(starter, certificates)
    await checks.run(f"{label}: ws to a server with TLS", check)
