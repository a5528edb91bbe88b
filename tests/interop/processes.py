"""Child processes: starts them, reads their lines, and leaves none behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import time

LINE_LIMIT = 64 * 1024 * 1024


class Child:
    """A running child process."""

    def __init__(self, name, process, log, log_start):
        self.name = name
        self.process = process
        self.log = log
        self.log_start = log_start
        self.lines = asyncio.Queue()
        self.reader = asyncio.create_task(self._read())

    async def _read(self):
        """Keeps the pipe empty, so that the child never waits for us."""
        while line := await self.process.stdout.readline():
            self.lines.put_nowait(line.decode(errors="replace").rstrip("\r\n"))
        self.lines.put_nowait(None)

    async def line(self, seconds=20):
        """The next line of its standard output; None at the end."""
        try:
            return await asyncio.wait_for(self.lines.get(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name}: expected a line within {seconds} s") from None

    async def address(self):
        """Waits for its line `listening on HOST:PORT`; returns HOST:PORT."""
        while (line := await self.line()) is not None:
            if line.startswith("listening on "):
                return line.removeprefix("listening on ").strip()
        raise AssertionError(f"{self.name}: ended without a line `listening on HOST:PORT`")

    async def interrupt(self, seconds):
        """Sends SIGINT; returns the exit code and the seconds it took to end."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = await self.exit_code(seconds)
        return code, time.monotonic() - start

    async def exit_code(self, seconds=20):
        """Waits for its end; returns the exit code."""
        try:
            return await asyncio.wait_for(self.process.wait(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name}: expected an exit within {seconds} s") from None

    def errors(self):
        """What it has written to standard error."""
        return self.log.read_bytes()[self.log_start :].decode(errors="replace")

    async def kill(self):
        """Ends it and everything it started, and waits for that."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        self.reader.cancel()


class Starter:
    """Starts child processes; what they print to standard error goes to `logs`."""

    def __init__(self, examples, logs):
        self.examples = examples
        self.logs = logs
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)

    @contextlib.asynccontextmanager
    async def command(self, *command, stdin=asyncio.subprocess.DEVNULL, environment=None):
        """Runs a command for the length of the block, then kills what is left.

        A proxy that the environment names does not count, unless `environment` names it.
        """
        name = os.path.basename(command[0])
        path = self.logs / f"{name}.log"
        with open(path, "ab") as log:
            log_start = log.tell()
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE_LIMIT,
                start_new_session=True,
                env={**without_proxies(os.environ), **(environment or {})},
            )
        child = Child(name, process, path, log_start)
        try:
            yield child
        finally:
            await child.kill()

    def example(self, name, *arguments, **options):
        """Runs one of the examples."""
        return self.command(str(self.examples / name), *arguments, **options)

    @contextlib.asynccontextmanager
    async def server(self, name, *arguments):
        """Runs an example that is a server; yields it and its URL."""
        async with self.example(name, "--addr", "127.0.0.1:0", *arguments) as child:
            yield child, f"ws://{await child.address()}"


def without_proxies(environment):
    return {
        name: value for name, value in environment.items() if not name.lower().endswith("_proxy")
    }


async def until_signal(work):
    """Runs the coroutine `work`; SIGINT and SIGTERM cancel it, which kills children."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
