"""Opens browser.html in headless Chromium and prints the results it posts.

Usage: browser.py --examples DIR --logs DIR --chromium COMMAND
"""

import argparse
import asyncio
import contextlib
import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse

from checks import Checks
from processes import Starter, until_signal
from wire import Wire

HERE = pathlib.Path(__file__).parent
EXPECTED_CHECKS = 25
SECONDS_FOR_PAGE = 180
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # That of the server over HTTP/2 is self-signed.
    "--ignore-certificate-errors",
)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves this folder and, at /wire, what the wire counted; takes what is posted to /results."""

    def __init__(self, results, wire, *arguments, **options):
        self.results = results
        self.wire = wire
        super().__init__(*arguments, directory=str(HERE), **options)

    def do_GET(self):
        if self.path != "/wire":
            return super().do_GET()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.wire.sent).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if self.path == "/results" else 404)
        self.end_headers()
        if self.path == "/results":
            self.results(json.loads(body))

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def site(wire, take):
    """Serves the page; yields its origin. `take` gets the results."""
    handler = functools.partial(Handler, take, wire)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def make_certificate(folder):
    """A certificate and its key, which nobody else has issued."""
    path = str(pathlib.Path(folder) / "localhost.pem")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    with open(path, "a") as file:
        file.write(pathlib.Path(f"{path}.crt").read_text())
    return path


async def results(starter, chromium, profile):
    """What the page finds with servers that compress and that do not, with axum, and over HTTP/2."""
    wire = Wire()
    loop = asyncio.get_running_loop()
    posted = loop.create_future()
    take = functools.partial(loop.call_soon_threadsafe, posted.set_result)
    certificate = make_certificate(profile)
    with site(wire, take) as origin:
        async with (
            starter.server("echo_server") as (_, plain_url),
            starter.server("echo_server", "--deflate") as (_, deflate_url),
            wire.to(deflate_url) as deflate_url,
            starter.server("axum_server", "--origin", origin) as (_, axum_url),
            starter.server("hyper_server", "--origin", origin, "--pem", certificate) as (hyper, hyper_url),
        ):
            secure_url = f"wss://localhost:{hyper_url.rsplit(':', 1)[1]}/browser"
            urls = (plain_url, deflate_url, f"{axum_url}/chat", secure_url)
            query = "&".join(urllib.parse.quote(url, safe="") for url in urls)
            page = f"{origin}/browser.html?{query}"
            async with starter.command(chromium, *FLAGS, f"--user-data-dir={profile}", page):
                found = await asyncio.wait_for(posted, SECONDS_FOR_PAGE)
            spoken = [line for line in hyper.errors().splitlines() if line.startswith("/browser ")]
            error = None if spoken == ["/browser over HTTP/2.0"] else f"expected HTTP/2, got {spoken}"
            return [*found, {"name": "HTTP/2 is what was spoken", "error": error}]


async def run(checks, starter, chromium):
    profile = tempfile.mkdtemp(prefix="tidewire-browser-")
    try:
        for result in await results(starter, chromium, profile):
            checks.record(f"chromium: {result['name']}", result["error"])
    except asyncio.TimeoutError:
        checks.record("chromium: results", f"expected within {SECONDS_FOR_PAGE} s, got none")
    except Exception as problem:
        checks.record("chromium: runs to its end", f"{type(problem).__name__}: {problem}")
    finally:
        shutil.rmtree(profile, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=pathlib.Path, required=True)
    parser.add_argument("--logs", type=pathlib.Path, required=True)
    parser.add_argument("--chromium", required=True)
    options = parser.parse_args()
    checks = Checks()
    starter = Starter(options.examples.resolve(), options.logs)
    try:
        asyncio.run(until_signal(run(checks, starter, options.chromium)))
    except asyncio.CancelledError:
        checks.record("chromium: all checks", "stopped by a signal")
    if checks.failed:
        print(f"what the processes wrote to standard error is in {options.logs}")
    if checks.passed < EXPECTED_CHECKS:
        print(f"browsers: expected at least {EXPECTED_CHECKS} checks to pass")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 0 if checks.failed == 0 and checks.passed >= EXPECTED_CHECKS else 1


if __name__ == "__main__":
    sys.exit(main())
