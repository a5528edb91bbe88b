"""Runs the Node client and server, and takes over the results they print."""

import json
import pathlib

import messages
import server
from checks import expect

HERE = pathlib.Path(__file__).parent


async def take_results(checks, child, label):
    """Records each line {"name", "error"}; then the script must end well."""
    while (line := await child.line(70)) is not None:
        result = json.loads(line)
        checks.record(f"{label}: {result['name']}", result["error"])
    expect(f"{label}: exit code of node", 0, await child.exit_code())


async def run_client(checks, starter, name, url, plan):
    """The Node client against an echo server."""
    script = str(HERE / "client.mjs")
    async with starter.command("node", script, url, json.dumps(plan)) as child:
        await take_results(checks, child, f"{name}: ws")


async def mirror_exit_code(checks, starter, label, scenario, certificate, arguments):
    """`echo_client --mirror` against the Node server; returns its exit code."""
    script = str(HERE / "server.mjs")
    sizes = json.dumps(messages.FULL["sizes"])
    async with starter.command("node", script, scenario, sizes, certificate) as node:
        url = f"{'wss' if certificate else 'ws'}://{await node.address()}"
        async with starter.example("echo_client", *arguments, "--mirror", url) as child:
            await take_results(checks, node, label)
            return await child.exit_code()


async def run_scenarios(checks, starter, label, certificate="", *arguments):
    """Every scenario with `echo_client --mirror`, over TLS if there is a certificate."""
    for scenario, name, clean, seconds in server.EXITS:
        exit_code = mirror_exit_code(checks, starter, label, scenario, certificate, arguments)
        await checks.run(f"{label}: {name}", server.expect_exit(clean, exit_code), seconds)


async def run_server(checks, starter):
    """All checks of `echo_client` against the Node server."""
    await run_scenarios(checks, starter, "echo_client --mirror: ws")
