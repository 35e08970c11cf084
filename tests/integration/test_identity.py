"""Every byte passes as it came, and the tape reproduces it: frames, legal and not, at
several splits, in both directions, with the ends they had."""

import random
import threading

import pytest

from identity_cases import cut_short, illegal, legal
from rig import frames, raw
from rig.process import Wstape, show
from rig.tape import CLIENT, SERVER, Tail

SIDES = {"client": CLIENT, "server": SERVER}
SPLITS = ["whole", "bytes", "random"]
LEGAL, ILLEGAL, CUT = legal(), illegal(), cut_short()


class Lab:
    """One wstape for all cases; the test holds both ends of every connection."""

    def __init__(self, folder):
        self.listener = raw.Listener()
        self.wstape = Wstape(folder, self.listener.url())
        self.tail = Tail(self.wstape.tape)
        self.count = 0
        self.near, self.far = self.open("/barrier")

    def open(self, path, extra=()):
        return raw.upgrade(self.wstape.port, self.listener, path, extra)

    def new_path(self):
        self.count += 1
        return f"/case/{self.count}"

    def barrier(self):
        """Returns once wstape has gone through a turn of its loop, and so has read all
        that was sent to it before."""
        self.near.send(frames.frame(frames.PING, mask=frames.MASK))
        self.far.read_to(len(self.far.got) + 6)

    def send(self, end, data, split):
        for piece in pieces(data, split):
            end.send(piece)
            if split != "whole":
                self.barrier()

    def stop(self):
        self.near.close()
        self.far.close()
        self.wstape.stop()
        self.tail.close()
        self.listener.close()


def pieces(data, split):
    if split == "whole":
        return [data]
    if split == "bytes":  # the first and the last 40 one by one: headers and tails
        if len(data) <= 80:
            return [data[i:i + 1] for i in range(len(data))]
        return [*pieces(data[:40], split), data[40:-40], *pieces(data[-40:], split)]
    rng = random.Random(len(data))
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)]) if a < b]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    one = Lab(tmp_path_factory.mktemp("identity"))
    yield one
    one.stop()


def check_tape(lab, path, client, server):
    """The tape reproduces both directions, as they came and as they went."""
    streams = lab.tail.read()
    c = streams.paths[path]
    assert streams.came[c, CLIENT] == client.sent
    assert streams.came[c, SERVER] == server.sent
    assert streams.went[c, CLIENT] == client.got
    assert streams.went[c, SERVER] == server.got
    return c


def pass_through(lab, side, stream, split):
    """Send `stream` from `side`, end that direction, answer in the other, end that too.
    Returns the number of the connection on the tape."""
    path = lab.new_path()
    client, server = lab.open(path)
    a, b = (client, server) if side == "client" else (server, client)
    start = len(b.got)
    lab.send(a, stream, split)
    a.fin()
    assert b.read_end() == "fin"
    assert b.got[start:] == stream
    # The other direction is still open.
    back = frames.frame(frames.TEXT, b"still here",
                        mask=frames.MASK if side == "server" else None)
    start = len(a.got)
    b.send(back)
    b.fin()
    assert a.read_end() == "fin"
    assert a.got[start:] == back
    c = check_tape(lab, path, client, server)
    client.close()
    server.close()
    return c


def mask_of(side):
    return frames.MASK if side == "client" else None


def fault_names(lab, connection, side):
    objects = show(lab.wstape.tape, "--frames", "--connection", connection)
    return {f for o in objects if o["record"] == "frame" and o["from"] == side
            for f in o.get("faults", [])}


@pytest.mark.sanitize
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", LEGAL)
def test_legal(lab, case, side, split):
    c = pass_through(lab, side, LEGAL[case](mask_of(side)), split)
    if split == "random":
        assert fault_names(lab, c, side) == set()


@pytest.mark.sanitize
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", ILLEGAL)
def test_illegal(lab, case, side, split):
    fault, build = ILLEGAL[case]
    c = pass_through(lab, side, build(mask_of(side)), split)
    if split == "random":
        assert fault in fault_names(lab, c, side)


@pytest.mark.sanitize
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", CUT)
def test_cut_short(lab, case, side, split):
    pass_through(lab, side, CUT[case](mask_of(side)), split)


def test_enough_illegal_forms():
    assert len(ILLEGAL) >= 60


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", [*CUT, "200 frames at once", "text of 65536"])
def test_reset(lab, case, side):
    """What was whole before the RST has passed, and the RST passes too."""
    path = lab.new_path()
    client, server = lab.open(path)
    a, b = (client, server) if side == "client" else (server, client)
    whole = frames.frame(frames.BINARY, b"whole", mask=mask_of(side))
    a.send(whole)
    b.read_to(len(b.got) + len(whole))
    a.send({**CUT, **LEGAL}[case](mask_of(side)))
    a.rst()
    assert b.read_end() == "reset"
    streams = lab.tail.read()
    c = streams.paths[path]
    side_of_b = 1 - SIDES[side]
    assert streams.went[c, side_of_b].startswith(b.got)
    b.close()


@pytest.mark.parametrize("order", ["client first", "server first", "both at once"])
def test_fin_without_close_frame(lab, order):
    path = lab.new_path()
    client, server = lab.open(path)
    first, second = (server, client) if order == "server first" else (client, server)
    first.fin()
    if order == "both at once":
        second.fin()
    assert second.read_end() == "fin"
    if order != "both at once":
        second.fin()
    assert first.read_end() == "fin"
    check_tape(lab, path, client, server)


def test_half_close_streams_on(lab):
    """A client that has ended its direction still gets all that the server sends."""
    path = lab.new_path()
    client, server = lab.open(path)
    client.fin()
    assert server.read_end() == "fin"
    data = b"".join(frames.frame(frames.BINARY, bytes(50000)) for _ in range(200))
    start = len(client.got)
    writer = threading.Thread(target=lambda: (server.send(data), server.fin()))
    writer.start()
    assert client.read_end() == "fin"
    writer.join()
    assert client.got[start:] == data
    check_tape(lab, path, client, server)


def test_frames_glued_to_the_heads(lab):
    """Frames in the same segment as the request, and as the 101."""
    path = lab.new_path()
    early = frames.frame(frames.TEXT, b"early bird", mask=frames.MASK)
    late = frames.frame(frames.TEXT, b"at once") + frames.close(1000, b"and out")
    client = raw.connect(lab.wstape.port)
    client.send(frames.request(path) + early)
    server = lab.listener.take()
    head = server.read_head()
    answer = frames.response(head)
    server.send(answer + late)
    server.read_to(len(head) + len(early))
    client.read_to(len(answer) + len(late))
    assert client.got == answer + late and server.got == head + early
    client.close()
    server.close()
    streams = lab.tail.read()
    c = streams.paths[path]
    assert streams.came[c, CLIENT] == client.sent
    assert streams.came[c, SERVER] == server.sent


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("side", SIDES)
def test_extensions(lab, side, split):
    """RSV bits mean what the extensions of the handshake say; they pass in any case."""
    path = lab.new_path()
    client = raw.connect(lab.wstape.port)
    extension = b"Sec-WebSocket-Extensions: x-own; a=1, permessage-deflate"
    client.send(frames.request(path, extra=[extension]))
    server = lab.listener.take()
    server.send(frames.response(server.read_head(), extra=[extension]))
    client.read_head()
    a, b = (client, server) if side == "client" else (server, client)
    hello = bytes.fromhex("f248cdc9c90700")  # RFC 7692, section 7.2.3.1
    data = b"".join(frames.frame(frames.TEXT, hello, rsv=r, mask=mask_of(side))
                    for r in (4, 6, 0, 1))
    start = len(b.got)
    lab.send(a, data, split)
    b.read_to(start + len(data))
    assert b.got[start:] == data
    c = check_tape(lab, path, client, server)
    objects = show(lab.wstape.tape, "--connection", c)
    texts = [o.get("text") for o in objects if o["record"] == "message"]
    assert texts[0] == "Hello"
    client.close()
    server.close()


def test_nothing_is_wrong_with_the_tape(lab):
    """After all of it: the tape verifies, and every end is on it."""
    lab.wstape.stop()
    objects = show(lab.wstape.tape)
    ends = {}
    for o in objects:
        if o["record"] == "end":
            ends.setdefault(o["connection"], []).append(o["side"])
    opened = {o["connection"] for o in objects if o["record"] == "connection"}
    assert opened and all(sorted(ends[c]) == ["client", "server"] for c in opened)
