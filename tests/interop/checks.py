"""Named checks: runs them within a time limit, prints and counts the results."""

import asyncio


def show(value):
    """A value as text; of long data only the size and both ends."""
    text = repr(value)
    if len(text) <= 200:
        return text
    return f"{type(value).__name__} with {len(value)} items: {text[:80]} ... {text[-80:]}"


def expect(what, expected, got):
    """Raises AssertionError unless `got` is `expected`, of the same type."""
    if type(expected) is not type(got) or expected != got:
        raise AssertionError(f"{what}: expected {show(expected)}, got {show(got)}")


class Checks:
    """The results so far."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def record(self, name, error=None):
        """Counts and prints one result; `error` is None if the check passed."""
        if error is None:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            printable = error.encode("utf-8", "backslashreplace").decode()
            print(f"FAIL  {name}\n      {printable}", flush=True)

    async def run(self, name, check, seconds=20):
        """Awaits the coroutine `check`; it passes unless it raises or takes too long."""
        error = None
        try:
            await asyncio.wait_for(check, seconds)
        except asyncio.TimeoutError:
            error = f"expected an end within {seconds} s, got none"
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        self.record(name, error)
        return error is None
