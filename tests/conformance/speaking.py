"""One side's half of a dialogue as bytes, and what it means: masks, compression,
fragments, and the messages a reader should find."""

import re
import struct
import zlib

from rig import frames

MASK = frames.MASK
CONTROL = {frames.CLOSE: "close", frames.PING: "ping", frames.PONG: "pong"}
DATA = {frames.TEXT: "text", frames.BINARY: "binary"}
STRATEGIES = {"fixed": zlib.Z_FIXED, "huffman": zlib.Z_HUFFMAN_ONLY}
TAIL = b"\0\0\xff\xff"


class Deflate:
    """permessage-deflate as one side sends it (RFC 7692)."""

    def __init__(self, agreed, role):
        bits = re.search(rf"{role}_max_window_bits=\"?(\d+)", agreed)
        # zlib does no raw deflate with 8 bits: 9 is the same for histories under 256.
        self.bits = max(9, int(bits[1])) if bits else 15
        self.keeps = f"{role}_no_context_takeover" not in agreed
        self.one = None

    def code(self, data, options):
        strategy = STRATEGIES.get(options.get("strategy"), zlib.Z_DEFAULT_STRATEGY)
        if not self.one or not self.keeps or "strategy" in options or "level" in options:
            self.one = zlib.compressobj(options.get("level", 6), zlib.DEFLATED, -self.bits,
                                        8, strategy)
        if options.get("strategy") == "final":
            out, self.one = self.one.compress(data) + self.one.flush(), None
            return out + b"\0"
        return self._blocks(data, options.get("blocks", 1))

    def _blocks(self, data, count):
        out, size = b"", len(data) // count + 1
        for at in range(0, size * count, size):
            out += self.one.compress(data[at:at + size])
            out += self.one.flush(zlib.Z_SYNC_FLUSH)
        return out[:-len(TAIL)] or b"\0"


def whole(step):
    """Whether a step is frames to their end, as far as one can tell without parsing."""
    return step.act == "frame" and not {"cut", "length"} & set(step.options)


class Speaker:
    """`role` is client or server, `agreed` the extensions of the 101. `messages` has
    what was said so far as (kind, payload); `settled` counts the bytes up to where no
    message was open; `answers` is what an echo would say next."""

    def __init__(self, role, agreed=""):
        self.mask = MASK if role == "client" else None
        self.deflate = Deflate(agreed, role)
        self.size = self.settled = 0
        self.open = None  # (opcode, payload so far) of a fragmented message
        self.messages, self.answers = [], []
        self.close = None  # the payload of the first close frame

    def say(self, step):
        """The bytes of a step, one piece a frame."""
        if step.act == "raw":
            pieces = [step.payload]
        else:
            pieces = self._frames(step)
        if step.options.get("cut"):
            pieces[-1] = pieces[-1][:step.options["cut"]]
        self.size += sum(map(len, pieces))
        if self.open is None and whole(step):
            self.settled = self.size
        return pieces

    def say_frame(self, opcode, payload):
        out = frames.frame(opcode, payload, mask=self.mask)
        self._meant(opcode, True, payload)
        self.size += len(out)
        self.settled = self.size if self.open is None else self.settled
        return [out]

    def _frames(self, step):
        options, payload = step.options, step.payload
        if step.code is not None:
            payload = struct.pack("!H", step.code) + payload
        coded = self.deflate.code(payload, options) if "deflate" in options else payload
        parts = self._parts(coded, options)
        fin = "nofin" not in options
        rsv = options.get("rsv", 4 if "deflate" in options else 0)
        out = []
        for n, part in enumerate(parts):
            last = n == len(parts) - 1
            out.append(frames.frame(
                step.opcode if n == 0 else frames.CONTINUATION, part, mask=self._key(options),
                fin=fin and last, rsv=rsv if n == 0 else 0, form=options.get("form"),
                length=options.get("length")))
            if "pings" in options and not last:
                out.append(frames.frame(frames.PING, b"%d" % n, mask=self.mask))
                self._meant(frames.PING, True, b"%d" % n)
        if whole(step):
            self._meant(step.opcode, fin, payload)
        return out

    def _key(self, options):
        if "wrongmask" in options:
            return None if self.mask else MASK
        if "mask" in options and self.mask:
            return bytes.fromhex(options["mask"])
        return self.mask

    @staticmethod
    def _parts(data, options):
        size = options.get("every") or -(-len(data) // options.get("parts", 1)) or 1
        parts = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
        return parts + [b""] * (options.get("parts", 1) - len(parts))

    def _meant(self, opcode, fin, payload):
        """Take a message in, as a receiver that forgives would."""
        if opcode in CONTROL:
            self.messages.append((CONTROL[opcode], payload))
            if opcode == frames.PING:
                self.answers.append((frames.PONG, payload))
            if opcode == frames.CLOSE and self.close is None:
                self.close = payload
            return
        if opcode == frames.CONTINUATION and self.open:
            opcode, payload = self.open[0], self.open[1] + payload
        self.open = None if fin else (opcode, payload)
        if fin and opcode in DATA:
            self.messages.append((DATA[opcode], payload))
            self.answers.append((opcode, payload))


def cut_up(data):
    """(first, mask, length, bytes) of each frame in `data`. One that was cut inside its
    payload is the last; what was cut inside a header has None in place of the first
    three."""
    at = 0
    while at < len(data):
        second = data[at + 1] if at + 1 < len(data) else 0
        n, size = second & 0x7F, 2
        if n > 125:
            size = 4 if n == 126 else 10
            n = int.from_bytes(data[at + 2:at + size], "big")
        masked = second & 0x80
        start = at + size + (4 if masked else 0)
        if start > len(data):
            yield None, None, None, bytes(data[at:])
            return
        mask = bytes(data[at + size:start]) if masked else None
        yield data[at], mask, n, bytes(data[at:start + n])
        at = start + n


def headers_in(data):
    """(first, mask, length) of each frame in `data` whose header is whole."""
    return [frame[:3] for frame in cut_up(data) if frame[0] is not None]


def with_rules(data):
    """The order in which frames pass where rules may look at messages: a message waits
    until it is whole, or cannot become so; pings and pongs inside it do not."""
    out, waiting = b"", b""
    for first, _, _, frame in cut_up(data):
        opcode = None if first is None else first & 15
        if opcode in DATA or opcode is None or opcode == frames.CLOSE:
            out, waiting = out + waiting, b""
        if opcode in DATA or opcode == frames.CONTINUATION and waiting:
            waiting += frame
            if first & 0x80:
                out, waiting = out + waiting, b""
        else:
            out += frame
    return out + waiting


def unmasked(data):
    """The frames of `data` without their masks: for a sender that draws its keys."""
    found, at = [], 0
    while True:
        frame, at = frames.parse_one(data, at)
        if frame is None:
            return found, len(data) - at
        first, mask, payload = frame
        found.append((first, mask is not None, payload))
