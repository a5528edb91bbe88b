"""What is said with permessage-deflate in use, and how that is seen.

Each conversation asserts what was agreed on, and by the bytes on the wire that it was used.
"""

import itertools
import json

import messages
from checks import expect
from server import closed, mirrored

SIDES = ("client", "server")
# For the server and for the client; None is not mentioned, so 15 are allowed.
WINDOWS = ((9, 12), (12, 15), (15, None), (None, 9))
# The largest window that the examples answer.
OWN_BITS = 12
REPETITIONS = 20


def with_takeover(server_bits, client_bits):
    return {
        "server": {"bits": server_bits, "takeover": True},
        "client": {"bits": client_bits, "takeover": True},
    }


NO_LIMITS = with_takeover(None, None)


def settings():
    """Windows and takeover for each side, as the peer wants them."""
    for bits, takeover in itertools.product(WINDOWS, itertools.product((True, False), repeat=2)):
        yield {
            "server": {"bits": bits[0], "takeover": takeover[0]},
            "client": {"bits": bits[1], "takeover": takeover[1]},
        }


def name_of(setting):
    def side(name):
        bits = setting[name]["bits"] or "any"
        takeover = "" if setting[name]["takeover"] else " without takeover"
        return f"{name} {bits} bits{takeover}"

    return ", ".join(side(name) for name in ("server", "client"))


def as_parameters(setting):
    """The parameters of RFC 7692 7.1, under which `websockets` knows them too."""
    parameters = {}
    for side in SIDES:
        parameters[f"{side}_no_context_takeover"] = not setting[side]["takeover"]
        parameters[f"{side}_max_window_bits"] = setting[side]["bits"]
    return parameters


def agreed(setting, max_bits=15):
    """The parameters that a server answers, sorted; `max_bits` is the most it agrees to."""
    shown = []
    for name, value in as_parameters(setting).items():
        if value is True:
            shown.append(name)
        elif value:
            shown.append(f"{name}={min(value, max_bits)}")
    return sorted(shown)


def for_node(max_bits=15):
    """What compression.mjs is told, in JSON."""
    return json.dumps(
        [{**each, "name": name_of(each), "agreed": agreed(each, max_bits)} for each in settings()]
    )


def record(number):
    """A line of JSON, as many services send them."""
    fields = {"id": number, "city": "Zürich", "side": "buy", "price": number * 7919 % 10007}
    return json.dumps(fields, ensure_ascii=False)


def json_text(size):
    """About as many bytes of JSON; they compress well in any window."""
    return "\n".join(record(number) for number in range(size // 60))


def token(size):
    """Text of which little is gained, unless it was said before."""
    return json.dumps({"token": messages.binary(size // 2).hex()})


def far_apart():
    """What comes again lies just outside of each window, so that nobody may refer to it."""
    for size in (600, 6000, 40000):
        yield from [token(size)] * 3


def conversation():
    """All messages after the tokens; a list is sent in fragments."""
    yield from ("", b"", "short", json_text(500), messages.EMOJI * 30)
    yield from (messages.binary(1000), bytes(range(256)) * 64, json_text(500))
    yield from far_apart()
    yield from (json_text(messages.MIB), json_text(messages.MIB).encode())
    yield [json_text(300), "", json_text(70000), "grüße"]
    yield from (parts for _, parts in messages.fragmented())
    yield json_text(500)


def length(message):
    parts = message if isinstance(message, list) else [message]
    return sum(len(part.encode() if isinstance(part, str) else part) for part in parts)


async def ratios(peer, wire, sent):
    """Sends and expects back; returns bytes on the wire per byte of the messages, for each side."""
    before = dict(wire.sent)
    for message in sent:
        await mirrored(peer, message)
    total = sum(map(length, sent))
    return {side: (wire.sent[side] - before[side]) / total for side in SIDES}


def expect_ratio(what, least, most, ratio):
    shown = f"{what}: {ratio:.3f} bytes on the wire for one, expected {least} to {most}"
    expect(shown, True, least < ratio < most)


async def token_ratios(peer, wire):
    """What a token takes that is repeated."""
    await mirrored(peer, "so the handshake is over")
    return await ratios(peer, wire, [token(100)] * REPETITIONS)


async def converse(peer, wire, setting):
    """Says everything and closes. What the tokens take tells whether there is takeover."""
    tokens = await token_ratios(peer, wire)
    can_send = [each for each in conversation() if peer.fragments or not isinstance(each, list)]
    others = await ratios(peer, wire, can_send)
    for side in SIDES:
        bounds = (0.05, 0.3) if setting[side]["takeover"] else (0.4, 0.95)
        expect_ratio(f"tokens of the {side}", *bounds, tokens[side])
        expect_ratio(f"messages of the {side}", 0.01, 0.5, others[side])
    if peer.fragments:
        await ping_between_fragments(peer)
    await closed(peer, 1000, "done")


async def ping_between_fragments(peer):
    async def fragments():
        yield json_text(300)
        await peer.ping(b"between")
        yield json_text(600)

    await peer.send(fragments())
    expect("echo", json_text(300) + json_text(600), await peer.receive())


async def converse_as_agreed(peer, wire, setting, parameters):
    """The same with `websockets`, after a look at the header of the answer."""
    header = peer.connection.response.headers.get("Sec-WebSocket-Extensions", "")
    extension, *found = (part.strip() for part in header.split(";"))
    expect("extension", "permessage-deflate", extension)
    expect("parameters", parameters, sorted(found))
    await converse(peer, wire, setting)
