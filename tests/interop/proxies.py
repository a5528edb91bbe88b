"""HTTP and SOCKS 5 proxies (proxy-chain, tinyproxy, microsocks) on the way of `echo_client`."""

import contextlib
import urllib.parse
from functools import partial

import messages
import server
from checks import expect
from network import SCRIPT, Requests, expect_says, failure, free_port, listening, nobody
from wire import Wire

USER = "ada"
WANTED = "the proxy wants a user name and a password, or others"
MESSAGE = messages.text(65536)
TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 30
MaxClients 20
LogLevel Warning
"""


@contextlib.asynccontextmanager
async def proxy_chain(starter, folder, *credentials):
    async with starter.command("node", SCRIPT, "proxy", *credentials) as child:
        yield f"http://{await child.address()}"


@contextlib.asynccontextmanager
async def tinyproxy(starter, folder, *credentials):
    port = free_port()
    path = folder / "tinyproxy.conf"
    lines = [TINYPROXY.format(port=port)]
    if credentials:
        lines.append(f"BasicAuth {' '.join(credentials)}\n")
    path.write_text("".join(lines))
    async with listening(starter, port, "tinyproxy", "-d", "-c", str(path)) as address:
        yield f"http://{address}"


@contextlib.asynccontextmanager
async def microsocks(starter, folder, *credentials):
    port = free_port()
    command = ["microsocks", "-i", "127.0.0.1", "-p", str(port)]
    for option, value in zip(("-u", "-P"), credentials):
        command += [option, value]
    async with listening(starter, port, *command) as address:
        yield f"socks5://{address}"


# Each with a password; tinyproxy takes no other signs.
PROXIES = (
    ("proxy-chain", proxy_chain, "one:two/three @ five"),
    ("tinyproxy", tinyproxy, "low.water"),
    ("microsocks", microsocks, "one:two/three @ five"),
)


async def talk(peer):
    await server.mirrored(peer, MESSAGE)
    await server.closed(peer, 1000, "done")


def with_userinfo(uri, userinfo):
    return uri.replace("://", f"://{userinfo}")


def userinfo_of(password):
    return f"{USER}:{urllib.parse.quote(password, safe='')}@"


async def through(starter, ca, proxy, userinfo, certificate, host):
    """All that is said must pass through the proxy."""
    wire = Wire()
    scheme, address = proxy.split("://")
    start = partial(Requests(certificate).serve, host=host)
    async with wire.to(f"ws://{address}") as url:
        proxy = with_userinfo(url.replace("ws", scheme), userinfo)
        code = server.mirror_exit_code(starter, start, talk, "--ca", ca, "--proxy", proxy)
        await server.expect_exit(True, code)
    length = len(MESSAGE.encode())
    sides = {side: sent > length for side, sent in wire.sent.items()}
    expect("through the proxy", {"client": True, "server": True}, sides)


async def refused_by_proxy(starter, proxy):
    """The client must say that the proxy wants other credentials."""
    requests = Requests()
    async with requests.serve(nobody) as url:
        expect_says(WANTED, await failure(starter, "--proxy", proxy, url))
    expect("requests", 0, requests.count)


async def no_server(starter, proxy):
    url = f"ws://127.0.0.1:{free_port()}"
    expect_says("the proxy ", await failure(starter, "--proxy", proxy, url))


async def no_proxy(starter, scheme):
    """The client must not say that it is the server that cannot be reached."""
    requests, port = Requests(), free_port()
    async with requests.serve(nobody) as url:
        errors = await failure(starter, "--proxy", f"{scheme}://localhost:{port}", url)
    expect_says("proxy", errors)
    expect_says(f"localhost at port {port}", errors)
    expect("requests", 0, requests.count)


async def other_certificate(starter, ca, proxy, certificate):
    """The client must leave when it sees the certificate of the server, or of the proxy."""
    requests = Requests(certificate)
    async with requests.serve(nobody) as url:
        errors = await failure(starter, "--ca", ca, "--proxy", proxy, url)
        expect_says("not valid for name", errors)
    expect("requests", 0, requests.count)


async def run_proxy(checks, label, starter, certificates, proxy, userinfo):
    """A proxy to servers with and without TLS, by name and by address."""
    for scheme, certificate in (("ws", None), ("wss", certificates.good)):
        for host in ("localhost", "127.0.0.1"):
            check = through(starter, certificates.ca, proxy, userinfo, certificate, host)
            await checks.run(f"{label}: {scheme}://{host}", check)


@contextlib.asynccontextmanager
async def secure_proxy(starter, certificate):
    """A proxy that is spoken to over TLS."""
    async with starter.command("node", SCRIPT, "secure-proxy", certificate) as child:
        yield f"https://localhost:{(await child.address()).rsplit(':', 1)[1]}"


async def run_secure_proxy(checks, starter, certificates):
    label = "echo_client --proxy: proxy-chain over TLS"
    trusting = ("--ca", certificates.ca)
    async with secure_proxy(starter, certificates.good) as proxy:
        for scheme, certificate in (("ws", None), ("wss", certificates.good)):
            start = Requests(certificate).serve
            code = server.mirror_exit_code(starter, start, talk, *trusting, "--proxy", proxy)
            await checks.run(f"{label}: {scheme}", server.expect_exit(True, code))
    async with secure_proxy(starter, certificates.other_host) as proxy:
        check = other_certificate(starter, certificates.ca, proxy, None)
        await checks.run(f"{label}: another host's certificate", check)


async def run(checks, starter, certificates, folder):
    """All checks of `echo_client --proxy`."""
    for name, start, password in PROXIES:
        label = f"echo_client --proxy: {name}"
        async with start(starter, folder) as proxy:
            await run_proxy(checks, label, starter, certificates, proxy, "")
            await checks.run(f"{label}: no server", no_server(starter, proxy))
            check = other_certificate(starter, certificates.ca, proxy, certificates.other_host)
            await checks.run(f"{label}: another host's certificate", check)
        label = f"{label} with a password"
        async with start(starter, folder, USER, password) as proxy:
            right = userinfo_of(password)
            await run_proxy(checks, label, starter, certificates, proxy, right)
            for what, userinfo in (("none", ""), ("another one", userinfo_of("high"))):
                check = refused_by_proxy(starter, with_userinfo(proxy, userinfo))
                await checks.run(f"{label}: {what}", check)
    await run_secure_proxy(checks, starter, certificates)
    for scheme in ("http", "socks5"):
        check = no_proxy(starter, scheme)
        await checks.run(f"echo_client --proxy: no {scheme} proxy", check)
