"""Servers that redirect `echo_client`."""

from checks import expect
from network import SCRIPT, Requests, expect_says, failure, nobody

STATUSES = (301, 302, 303, 307, 308)


async def redirected(starter, status):
    """A redirect is not followed unless the caller wants it."""
    requests = Requests()
    async with requests.serve(nobody) as url:
        async with starter.command("node", SCRIPT, "redirects", url) as child:
            origin = f"ws://{await child.address()}/{status}"
            expect_says(str(status), await failure(starter, origin))
    expect("requests", 0, requests.count)


async def run(checks, starter):
    for status in STATUSES:
        check = redirected(starter, status)
        await checks.run(f"echo_client: {status} is not followed", check)
