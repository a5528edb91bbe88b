"""Runs every interop check, counts, and compares with the committed number."""

import argparse
import asyncio
import logging
import pathlib
import sys
import tempfile

import autobahn
import client
import compression_clients
import compression_servers
import feed
import frameworks
import interrupt
import messages
import network
import nginx
import node
import proxies
import redirects
import server
import tls
from checks import Checks
from processes import Starter, until_signal

HERE = pathlib.Path(__file__).parent
SECONDS_FOR_ALL = 600
SERVERS = (
    ("echo_server", messages.FULL),
    ("echo_blocking", messages.FULL),
    ("echo_sans_io", messages.SMALL),
)
DEFLATE_SERVERS = ("echo_server", "echo_blocking")


async def guarded(checks, name, section):
    """A section that breaks off is one failed check."""
    try:
        await section
    except Exception as problem:
        checks.record(f"{name}: runs to its end", f"{type(problem).__name__}: {problem}")


async def echo_server_section(checks, starter, name, plan):
    async with starter.server(name) as (_, url):
        await client.run(checks, name, url, plan)
        await node.run_client(checks, starter, name, url, plan)


async def run_sections(checks, starter):
    for name, plan in SERVERS:
        await guarded(checks, name, echo_server_section(checks, starter, name, plan))
    await guarded(checks, "interrupt", interrupt.run(checks, starter))
    await guarded(checks, "echo_client", server.run(checks, starter))
    await guarded(checks, "echo_client and Node", node.run_server(checks, starter))
    for name in DEFLATE_SERVERS:
        section = compression_clients.run(checks, starter, name)
        await guarded(checks, f"{name} --deflate", section)
    await guarded(checks, "echo_client --deflate", compression_servers.run(checks, starter))
    await guarded(checks, "axum_server", frameworks.run(checks, starter))
    await guarded(checks, "autobahn_client", autobahn.run(checks, starter))
    await guarded(checks, "autobahn_client", autobahn.run(checks, starter, "--deflate"))
    with tempfile.TemporaryDirectory() as folder:
        await run_network_sections(checks, starter, pathlib.Path(folder))


async def run_network_sections(checks, starter, folder):
    certificates = network.Certificates(folder)
    await guarded(checks, "TLS", tls.run(checks, starter, certificates))
    await guarded(checks, "nginx", nginx.run(checks, starter, certificates, folder))
    await guarded(checks, "proxies", proxies.run(checks, starter, certificates, folder))
    await guarded(checks, "redirects", redirects.run(checks, starter))
    await guarded(checks, "feed", feed.run(checks, starter, folder))


async def run_all(checks, starter):
    try:
        await asyncio.wait_for(run_sections(checks, starter), SECONDS_FOR_ALL)
    except asyncio.TimeoutError:
        checks.record("all checks", f"expected an end within {SECONDS_FOR_ALL} s, got none")


def verdict(checks):
    """Prints the totals; returns the exit code."""
    expected = int((HERE / "expected-checks").read_text())
    if checks.passed < expected:
        print(f"interop: expected at least {expected} checks to pass")
    print(f"interop: {checks.passed} checks passed, {checks.failed} failed")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 0 if checks.failed == 0 and checks.passed >= expected else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=pathlib.Path, required=True)
    parser.add_argument("--logs", type=pathlib.Path, required=True)
    options = parser.parse_args()
    # The libraries would log every connection that is cut on purpose.
    logging.disable(logging.CRITICAL)
    checks = Checks()
    starter = Starter(options.examples.resolve(), options.logs)
    try:
        asyncio.run(until_signal(run_all(checks, starter)))
    except asyncio.CancelledError:
        checks.record("all checks", "stopped by a signal")
    if checks.failed:
        print(f"what the processes wrote to standard error is in {options.logs}")
    return verdict(checks)


if __name__ == "__main__":
    sys.exit(main())
