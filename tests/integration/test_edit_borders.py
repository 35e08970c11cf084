"""Edited messages on the wire, byte for byte: lengths across the borders of the length
forms, fragments, masks, and control frames in between."""

import json
import threading
import zlib

import pytest

from rig import frames, raw
from rig.faults import faults_of

LENGTHS = [12, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 70000]
PAIRS = [(a, b) for a in LENGTHS for b in LENGTHS if a != b]
PING = b"are you there?"


def sized(length, mark):
    """A JSON text of so many bytes."""
    text = '{"n":1,"v":"' if length > 20 else '{"v":"'
    tail = f'{mark}"}}'
    return (text + "x" * (length - len(text) - len(tail)) + tail).encode()


def rule_file(side, pairs):
    """One rule for each message: give `v` the value that makes it so long."""
    rules = []
    for n, (old, new) in enumerate(pairs, 1):
        head = len(sized(old, "a")) - len(value_of(sized(old, "a")))
        rules.append({"when": {"from": side, "message": n},
                      "set_field": {"v": "y" * (new - head)}})
    return json.dumps({"faults": rules}, indent=1) + "\n"


def value_of(text):
    return text[text.index(b'"v":"') + 5:-2]


def edited(text, length):
    head = text[:text.index(b'"v":"') + 5]
    return head + b"y" * (length - len(head) - 2) + b'"}'


class Side:
    """Who speaks, who listens, and whether with masks."""

    def __init__(self, side, port, listener):
        client, server = raw.upgrade(port, listener)
        self.talker, self.other = (client, server) if side == "client" else (server, client)
        self.mask = frames.MASK if side == "client" else None
        self.at = len(self.other.got)

    def frame(self, opcode, payload, **kw):
        return frames.frame(opcode, payload, mask=self.mask, **kw)

    def expect(self, opcode, payload, rsv=0, fin=True):
        """The next frame is this one, in the shortest form, masked when it has to be."""
        (first, mask, got), end = self.other.read_frame(self.at)
        assert (mask is not None) == (self.mask is not None)
        assert got == payload
        assert self.other.got[self.at:end] == frames.frame(
            opcode, payload, mask=mask, rsv=rsv, fin=fin)
        self.at = end
        return mask

    def expect_bytes(self, data):
        self.other.read_to(self.at + len(data))
        assert self.other.got[self.at:self.at + len(data)] == data
        self.at += len(data)

    def close(self):
        self.talker.close()
        self.other.close()


@pytest.fixture
def open_side(inject, listener):
    opened = []

    def start(side, *rules):
        w = inject(listener.url(), *rules)
        opened.append(Side(side, w.port, listener))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.mark.sanitize
@pytest.mark.parametrize("side", ["client", "server"])
def test_lengths(side, open_side):
    """Every length to every other; an untouched message behind each keeps its bytes."""
    doubled = [p for pair in PAIRS for p in (pair, pair)]
    file = json.loads(rule_file(side, doubled))
    file["faults"] = file["faults"][::2]  # the odd messages only
    s = open_side(side, json.dumps(file, indent=1) + "\n")
    masks = set()
    for old, new in PAIRS:
        s.talker.send(s.frame(frames.TEXT, sized(old, "a")))
        masks.add(s.expect(frames.TEXT, edited(sized(old, "a"), new)))
        same = s.frame(frames.TEXT, sized(old, "b"))
        s.talker.send(same)
        s.expect_bytes(same)
    assert len(masks) == (len(PAIRS) if side == "client" else 1), "each has its own key"


def split(text, count):
    """`text` in `count` pieces, an empty one among them."""
    step = max(1, len(text) // (count - 1))
    cuts = [min(len(text), n * step) for n in range(count - 1)] + [len(text)]
    pieces = [text[a:b] for a, b in zip(cuts, cuts[1:])]
    return [*pieces[:1], b"", *pieces[1:]]


def fragments(s, text, count, between=b""):
    """The frames of a fragmented message; `between` goes after each but the last."""
    pieces = split(text, count)
    out = []
    for n, piece in enumerate(pieces):
        out.append(s.frame(frames.TEXT if n == 0 else frames.CONTINUATION, piece,
                           fin=n == len(pieces) - 1))
    return between.join(out)


@pytest.mark.sanitize
@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("side", ["client", "server"])
def test_fragmented_messages(side, count, open_side):
    """They are put together and sent as one frame; control frames inside go first."""
    pairs = [p for p in PAIRS if p[0] > 20]
    s = open_side(side, rule_file(side, pairs))
    ping = s.frame(frames.PING, PING)
    for old, new in pairs:
        data = fragments(s, sized(old, "a"), count, ping)
        s.talker.send(data)
        for _ in range(data.count(ping)):
            s.expect_bytes(ping)
        s.expect(frames.TEXT, edited(sized(old, "a"), new))


@pytest.mark.parametrize("side", ["client", "server"])
def test_fragments_that_no_rule_hits(side, open_side):
    """They were held until the last byte was known; every byte is as it came."""
    s = open_side(side, f"drop_field=v,from={side},json.type=other")
    for length in (30, 200, 70000):
        data = fragments(s, sized(length, "a"), 4)
        s.talker.send(data)
        s.expect_bytes(data)


@pytest.mark.parametrize("side", ["client", "server"])
def test_odd_spellings_pass(side, open_side):
    """Length forms longer than needed, RSV bits and keys of zeros, where no rule acts."""
    s = open_side(side, f"drop_field=v,from={side},json.type=other")
    for form in (16, 64):
        odd = s.frame(frames.TEXT, b'{"v":1}', form=form)
        s.talker.send(odd)
        s.expect_bytes(odd)
    odd = s.frame(frames.BINARY, b"\0\1", rsv=2)
    s.talker.send(odd)
    s.expect_bytes(odd)
    if side == "client":
        odd = frames.frame(frames.TEXT, b'{"v":2}', mask=b"\0\0\0\0")
        s.talker.send(odd)
        s.expect_bytes(odd)


@pytest.mark.sanitize
@pytest.mark.parametrize("size", [1, 7, 125, 126, 1000])
@pytest.mark.parametrize("side", ["client", "server"])
def test_fragment(side, size, open_side):
    """Frames of just that size, the last one with the rest; FIN on the last only."""
    s = open_side(side, f"fragment={size},from={side}")
    for length in (30, 125, 300):
        text = sized(length, "a")
        s.talker.send(s.frame(frames.TEXT, text))
        for at in range(0, length, size):
            s.expect(frames.TEXT if at == 0 else frames.CONTINUATION,
                     text[at:at + size], fin=at + size >= length)
    s.talker.send(s.frame(frames.BINARY, b""))
    s.expect(frames.BINARY, b"")


@pytest.mark.parametrize("side", ["client", "server"])
def test_byte_by_byte(side, open_side):
    """However it arrives, it is one message."""
    s = open_side(side, f"drop_field=v,from={side}")
    for byte in fragments(s, sized(60, "a"), 3, s.frame(frames.PING, b"")):
        s.talker.send(bytes([byte]))
    for _ in range(2):
        s.expect(frames.PING, b"")
    s.expect(frames.TEXT, b'{"n":1}')


@pytest.mark.sanitize
@pytest.mark.parametrize("side", ["client", "server"])
def test_many_in_one_packet(side, open_side):
    """Edited, dropped, doubled and untouched ones, with pings, in one write."""
    s = open_side(side, f"drop_field=v,from={side},message=every 3",
                  f"drop,from={side},message=every 5",
                  f"duplicate,from={side},message=every 7")
    texts = [sized(40 + n, "abc"[n % 3]) for n in range(1, 106)]
    ping = s.frame(frames.PING, PING)
    s.talker.send(b"".join(s.frame(frames.TEXT, t) + ping for t in texts))
    for n, text in enumerate(texts, 1):
        out = b'{"n":1}' if n % 3 == 0 else text
        for _ in range(0 if n % 5 == 0 else 2 if n % 7 == 0 else 1):
            if n % 3 and n % 7:
                s.expect_bytes(s.frame(frames.TEXT, out))
            else:
                s.expect(frames.TEXT, out)
        s.expect_bytes(ping)


def test_a_message_too_large_for_the_rules(inject, listener):
    """It passes as it came, and later ones are still judged."""
    w = inject(listener.url(), "drop_field=v,from=server", args=("--max-message", "1k"))
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    large = frames.frame(frames.TEXT, sized(5000, "a"))
    server.send(large + frames.frame(frames.TEXT, sized(1000, "a")))
    small = frames.frame(frames.TEXT, b'{"n":1}')
    assert client.read_to(at + len(large + small))[at:] == large + small
    client.close()
    server.close()


def test_a_message_in_too_many_frames(inject, listener):
    """Their headers count: with the payload, a megabyte over --max-message is too much."""
    w = inject(listener.url(), "drop_field=v,from=server", args=("--max-message", "1k"))
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    empty = frames.frame(frames.CONTINUATION, fin=False)

    def in_frames(count):
        return (frames.frame(frames.TEXT, b'{"v":', fin=False) + empty * count
                + frames.frame(frames.CONTINUATION, b'1,"n":1}'))

    few, many = frames.frame(frames.TEXT, b'{"n":1}'), in_frames(512 * 1024 + 512)
    sender = threading.Thread(target=server.send, args=(in_frames(500) + many,))
    sender.start()
    assert client.read_to(at + len(few + many))[at:] == few + many
    sender.join()
    client.close()
    server.close()
    w.stop()
    assert [(f.applied, f.message) for f in faults_of(w.tape)] == [(True, 1), (False, 2)]
    assert "too large to be judged (--max-message)" in faults_of(w.tape)[1].text


def test_a_message_too_large_to_be_compressed_anew(inject, listener):
    """Behind one that was changed it cannot pass: what follows may refer back to it."""
    w = inject(listener.url(), "drop_field=v,from=server")
    extension = (b"Sec-WebSocket-Extensions: permessage-deflate",)
    client = raw.connect(w.port)
    client.send(frames.request(extra=extension))
    server = listener.take()
    server.send(frames.response(server.read_head(), extra=extension))
    at = len(client.read_head())
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    for payload in (b'{"v":1}', bytes(64 * 2**20), bytes(64 * 2**20 + 1)):
        coded = z.compress(payload) + z.flush(zlib.Z_SYNC_FLUSH)
        server.send(frames.frame(frames.TEXT, coded[:-4], rsv=4))
    got = []
    for _ in range(3):
        (first, _, payload), at = client.read_frame(at)
        got.append(first)
    assert got == [0xc1, 0xc1, 0x88] and payload[:2] == b"\x03\xf1"  # 1009
    client.close()
    server.close()
