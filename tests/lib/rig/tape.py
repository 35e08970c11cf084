"""A tape as bytes: what came in, and what went out, rebuilt from the records alone."""

import msgpack

from .frames import header, xor

OPEN, UPSTREAM, REQUEST, RESPONSE, BODY, FRAME, MORE, RAW, SENT = range(1, 10)
END, NOTE, GAP, CHECKPOINT, SUMMARY = range(11, 16)
CLIENT, SERVER = 0, 1


def records(path):
    """The header map and every whole record after it; a torn tail ends the list."""
    with open(path, "rb") as f:
        unpacker = msgpack.Unpacker(f, max_buffer_size=0, raw=False, strict_map_key=False)
        return list(unpacker)


class Streams:
    """`came[c, side]`: bytes that arrived from that side of connection c.
    `went[c, side]`: bytes that left to that side. `cut`: bodies that are not whole.
    `paths`: connections by the target of their first request."""

    def __init__(self, tape=()):
        self.came, self.went, self.cut, self._last = {}, {}, set(), {}
        self.paths = {}
        for r in tape:
            self.add(r)

    def add(self, r):
        if r[0] in (REQUEST, RESPONSE):
            if r[0] == REQUEST and (r[1], CLIENT) not in self.came:
                self.paths[r[4].split(b" ", 2)[1].decode()] = r[1]
            self._put(r[1], r[0] - REQUEST, r[4], r[5])
        elif r[0] == BODY:
            self._put(r[1], r[3], r[6])
            if r[5] != len(r[6]):
                self.cut.add((r[1], r[3]))
        elif r[0] == FRAME:
            _, c, _, side, first, length, form, mask, _, payload, _ = r
            self._last[c, side] = [mask, len(payload)]
            masked = xor(payload, mask) if mask else payload
            self._put(c, side, header(first, length, form, mask) + masked)
        elif r[0] == MORE:
            _, c, _, side, _, payload, _ = r
            mask, at = self._last[c, side]
            self._last[c, side][1] += len(payload)
            self._put(c, side, xor(payload, mask, at) if mask else payload)
        elif r[0] == RAW:
            self._put(r[1], r[3], r[4])
        elif r[0] == SENT:
            self.went.setdefault((r[1], r[3]), bytearray()).extend(r[5])

    def _put(self, connection, side, arrived, passed=None):
        self.came.setdefault((connection, side), bytearray()).extend(arrived)
        self.went.setdefault((connection, 1 - side), bytearray()).extend(passed or arrived)


class Tail:
    """The streams of a tape that is still being written."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.unpacker = msgpack.Unpacker(max_buffer_size=0, raw=False,
                                         strict_map_key=False)
        self.streams, self.header = Streams(), None

    def read(self):
        """Take in what was added since the last call."""
        while True:
            data = self.file.read(1 << 20)
            if not data:
                return self.streams
            self.unpacker.feed(data)
            for r in self.unpacker:
                if self.header is None:
                    self.header = r
                else:
                    self.streams.add(r)

    def close(self):
        self.file.close()


def host_line_away(head):
    """A head without its Host line: the one thing wstape changes."""
    return b"\r\n".join(line for line in head.split(b"\r\n")
                        if not line.lower().startswith(b"host:"))
