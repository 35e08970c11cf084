"""Dialogues of two scripted ends, recorded to tapes; and tapes taken apart for comparison.

A dialogue is a list of turns. A turn is taken once its side has received all that the
other has said on that connection; both ends leave, the server first, where no turn says
how they end.
"""

import collections
import threading

from rig import frames, raw
from rig.frames import header
from rig.process import Wstape, run, show
from rig.tape import BODY, END, FRAME, MORE, OPEN, RAW, REQUEST, RESPONSE, records

SIDES = ("client", "server")
FIN, RST = "fin", "rst"
FITS = 64 << 10

# `connection` names it in the dialogue; `act` is bytes, FIN or RST; without `waits` the
# side says it at once.
Turn = collections.namedtuple("Turn", "side act connection waits", defaults=("", True))


def client(*acts, on="", waits=True):
    return [Turn("client", act, on, waits) for act in acts]


def server(*acts, on="", waits=True):
    return [Turn("server", act, on, waits) for act in acts]


def text(payload, **kw):
    """A client's text frame."""
    return frames.frame(frames.TEXT, _bytes(payload), **{"mask": frames.MASK, **kw})


def said(payload, **kw):
    """A server's."""
    return frames.frame(frames.TEXT, _bytes(payload), **kw)


def _bytes(payload):
    return payload if isinstance(payload, bytes) else payload.encode()


def shake(path="/ws", on="", ask=(), agree=()):
    """An opening handshake, with more header lines."""
    head = frames.request(path, extra=ask)
    return client(head, on=on) + server(frames.response(head, agree), on=on)


def bye(code=1000, reason=b"", on="", first="client"):
    """A close handshake."""
    ours, theirs = (client, server) if first == "client" else (server, client)
    masks = (frames.MASK, None) if first == "client" else (None, frames.MASK)
    return (ours(frames.close(code, reason, mask=masks[0]), on=on)
            + theirs(frames.close(code, mask=masks[1]), on=on))


class Connection:
    """Both ends of one connection through a recorder."""

    def __init__(self, port, listener):
        self.listener, self.over = listener, {}
        self.ends = {"client": raw.connect(port)}
        self.taken = False

    def end(self, side):
        if side == "server" and "server" not in self.ends:
            self.ends["server"] = self.listener.take()
        return self.ends[side]

    def heard(self, side):
        """Wait until `side` has all that the other said, its end too."""
        other = "server" if side == "client" else "client"
        end = self.end(side)
        if other in self.over:
            end.read_end()
        elif other in self.ends:
            end.read_to(len(self.ends[other].sent))

    def take(self, turn):
        end = self.end(turn.side)
        if turn.waits:
            self.heard(turn.side)
        if turn.act == RST:
            self.heard("server" if turn.side == "client" else "client")
            end.rst()
        elif turn.act == FIN:
            end.fin()
        else:
            self.send(turn.side, turn.act)
        if turn.act in (FIN, RST):
            self.over[turn.side] = turn.act

    def send(self, side, data):
        """What may not fit into the buffers on the way is received meanwhile."""
        end = self.end(side)
        if len(data) < FITS:
            end.send(data)
            return
        other = self.end("server" if side == "client" else "client")
        before = len(end.sent)
        sender = threading.Thread(target=end.send, args=(data,))
        sender.start()
        other.read_to(before + len(data))
        sender.join()

    def leave(self):
        first = "client" if "server" not in self.ends else "server"
        for side in (first, "client" if first == "server" else "server"):
            if side not in self.over and RST not in self.over.values():
                self.take(Turn(side, FIN))
        for side in SIDES:
            if self.over.get(side) != RST:
                self.end(side).read_end()
            self.end(side).close()


def play(turns, port, listener):
    """Play turns through the recorder at `port`, in front of `listener`."""
    connections = {}
    for turn in turns:
        if turn.connection not in connections:
            connections[turn.connection] = Connection(port, listener)
        connections[turn.connection].take(turn)
    for connection in connections.values():
        connection.leave()


def record_dialogue(turns, folder):
    """The tape of a dialogue."""
    with raw.Listener() as listener:
        w = Wstape(folder, listener.url(), "--keep-host")
        play(turns, w.port, listener)
        w.stop()
    return w.tape


class Frame:
    """A frame of a tape."""

    def __init__(self, record):
        _, _, _, self.side, self.first, self.length, self.form, self.mask = record[:8]
        self.faults, self.payload = record[8], bytearray(record[9])

    def more(self, record):
        self.faults |= record[4]
        self.payload += record[5]

    def is_whole(self):
        return len(self.payload) == self.length

    def wire(self):
        return header(self.first, self.length, self.form, self.mask) + frames.xor(
            bytes(self.payload), self.mask or bytes(4))


class TapedConnection:
    """What a tape says of a connection: `parts` in its order, which are frames, and
    (side, kind, bytes) of what is none; `ends`: (side, kind, by wstape)."""

    def __init__(self):
        self.parts, self.ends, self.last = [], [], {}

    def add(self, r):
        if r[0] == FRAME:
            self.last[r[3]] = Frame(r)
            self.parts.append(self.last[r[3]])
        elif r[0] == MORE:
            self.last[r[3]].more(r)
        elif r[0] in (REQUEST, RESPONSE):
            self.parts.append((r[0] - REQUEST, "head", r[4]))
        elif r[0] == BODY:
            self.parts.append((r[3], "body", r[6]))
        elif r[0] == RAW:
            self.parts.append((r[3], "raw", r[4]))
        elif r[0] == END:
            self.ends.append((SIDES[r[3]], r[4], r[5]))

    def finish(self):
        """Pongs that answer pings go when those come: they are `answers`, and no parts."""
        found = [p for p in self.parts if isinstance(p, Frame)]
        pings = {(1 - f.side, bytes(f.payload)) for f in found if f.first & 15 == 9}
        late = [f for f in found if f.first & 15 == 10
                and (f.side, bytes(f.payload)) in pings]
        self.answers = sorted((SIDES[f.side], bytes(f.payload)) for f in late)
        self.parts = [p for p in self.parts if p not in late]
        closed = {p.side for p in self.parts if isinstance(p, Frame) and p.first & 15 == 8}
        if len(closed) == 2:  # whose FIN comes first then is nobody's answer
            self.ends.sort()

    def of(self, side):
        return [p for p in self.parts
                if SIDES[p.side if isinstance(p, Frame) else p[0]] == side]

    def frames(self, side):
        """The first byte, key and faults of each."""
        return [(p.first, p.mask, p.faults) for p in self.of(side) if isinstance(p, Frame)]

    def wire(self, side):
        return b"".join(p.wire() if isinstance(p, Frame) else p[2] for p in self.of(side))

    def order(self):
        """Sides of whole messages, and of a tunnel's bytes, in the order of the tape."""
        found = []
        for p in self.parts:
            if not isinstance(p, Frame):
                if p[1] == "raw" and found[-1:] != [(SIDES[p[0]], "raw")]:
                    found.append((SIDES[p[0]], "raw"))
            elif p.is_whole() and p.first & 0x88 == 0x80:
                found.append((SIDES[p.side], "message"))
        return found


class Taped:
    """What a tape says of its connections, apart from times and addresses; `shows`: what
    `show` says, too."""

    def __init__(self, path, shows=True):
        self.verified = run("verify", path)
        found, self.connections = {}, {}
        for r in records(path)[1:]:
            if r[0] == OPEN:
                found[r[1]] = TapedConnection()
            elif r[1]:
                found[r[1]].add(r)
        for number, c in found.items():
            c.finish()
            messages = self._messages(path, number) if shows else None
            self.connections[self._key(c)] = c, messages

    def _key(self, connection):
        """Its first target, and which of that target it is."""
        target = connection.parts[0][2].split(b" ", 2)[1].decode()
        return target, sum(1 for other in self.connections if other[0] == target)

    @staticmethod
    def _messages(path, number):
        """What `show` has of each side, but for pongs."""
        told = {side: [] for side in SIDES}
        for o in show(path, "--connection", number):
            if o["record"] == "message" and o["kind"] != "pong":
                told[o["from"]].append(tuple(o.get(k) for k in (
                    "kind", "text", "base64", "code", "reason", "incomplete")))
        return told

    def all(self, packed=False):
        """Everything that another run must have too. `packed`: messages are compressed,
        and two compressors may differ in bytes."""
        return {key: self.one(key, packed) for key in self.connections}

    def one(self, key, packed=False):
        c, messages = self.connections[key]
        told = {"ends": c.ends, "order": c.order(), "answers": c.answers,
                "messages": messages, "frames": {side: c.frames(side) for side in SIDES}}
        if not packed:
            told["bytes"] = {side: c.wire(side) for side in SIDES}
        return told


def differences(old, new, path=""):
    """Where two of these differ, a line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [line for key in {**old, **new}
                for line in differences(old.get(key), new.get(key), f"{path}/{key}")]
    if isinstance(old, list) and isinstance(new, list):
        at = next((n for n, (a, b) in enumerate(zip(old, new)) if a != b),
                  min(len(old), len(new)))
        old, new, path = old[at:], new[at:], f"{path}[{at}:]"
    return [f"{path}: {short(old)} -> {short(new)}"] if old != new else []


def short(value):
    if isinstance(value, bytes) and len(value) > 300:
        return f"{len(value)} bytes, {value[:200]!r}...{value[-60:]!r}"
    return repr(value)[:400]


def in_threads(work, items, at_once=4):
    """{item: result, or the exception} of work(item), some at a time."""
    todo, found = list(items), {}
    lock = threading.Lock()

    def go():
        while True:
            with lock:
                if not todo:
                    return
                item = todo.pop(0)
            try:
                found[item] = work(item)
            except Exception as e:  # a test shows it, under the item's name
                found[item] = e

    threads = [threading.Thread(target=go) for _ in range(at_once)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return found
