"""The messages that are sent and must come back, and how much to send to whom."""

import functools
import random

MIB = 1024 * 1024

# "crowd" is the number of connections that are open together.
FULL = {"sizes": [0, 125, 126, 65535, 65536, MIB, 16 * MIB], "crowd": 50}
SMALL = {"sizes": [0, 125, 126, 65535, 65536], "crowd": 0}

EMOJI = "grüße, 世界 🌊🦀👩‍🚀"


def text(size):
    """Text of `size` bytes in UTF-8, with characters of one to four bytes."""
    return "aé€🌊" * (size // 10) + "x" * (size % 10)


@functools.cache
def binary(size):
    """Pseudo-random bytes, the same in every run."""
    return random.Random(size).randbytes(size)


def messages(sizes):
    """Every unfragmented message as (name, message)."""
    yield "text with emoji", EMOJI
    for size in sizes:
        yield f"text of {size} bytes", text(size)
    for size in sizes:
        yield f"binary of {size} bytes", binary(size)


def fragmented():
    """Every fragmented message as (name, list of fragments)."""
    yield "text in fragments", ["one 🌊 ", "", "two 🦀 ", "three"]
    yield "binary in fragments", [binary(70000), b"", binary(126), binary(1)]
