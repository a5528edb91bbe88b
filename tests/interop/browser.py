"""Opens browser.html in headless Chromium and prints the results it posts.

Usage: browser.py --examples DIR --logs DIR --chromium COMMAND
"""

import argparse
import asyncio
import functools
import http.server
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import urllib.parse

from checks import Checks
from processes import Starter, until_signal

HERE = pathlib.Path(__file__).parent
EXPECTED_CHECKS = 19
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
)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves this folder and takes what is posted to /results."""

    def __init__(self, results, *arguments, **options):
        self.results = results
        super().__init__(*arguments, directory=str(HERE), **options)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204 if self.path == "/results" else 404)
        self.end_headers()
        if self.path == "/results":
            self.results(json.loads(body))

    def log_message(self, *arguments):
        pass


async def results_of_page(starter, chromium, profile, echo_url):
    """Serves the page, opens it in the browser, waits for its results."""
    loop = asyncio.get_running_loop()
    posted = loop.create_future()
    take = functools.partial(loop.call_soon_threadsafe, posted.set_result)
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, take))
    threading.Thread(target=site.serve_forever, daemon=True).start()
    query = urllib.parse.quote(echo_url, safe="")
    page = f"http://127.0.0.1:{site.server_port}/browser.html?{query}"
    try:
        async with starter.command(chromium, *FLAGS, f"--user-data-dir={profile}", page):
            return await asyncio.wait_for(posted, SECONDS_FOR_PAGE)
    finally:
        site.shutdown()


async def run(checks, starter, chromium):
    profile = tempfile.mkdtemp(prefix="tidewire-browser-")
    try:
        async with starter.server("echo_server") as (_, url):
            for result in await results_of_page(starter, chromium, profile, url):
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
