"""What the tapes of a run say, by the path of each connection."""

import base64

from rig.process import run, show
from rig.tape import FRAME, MORE, SENT, Streams, records
from rig.faults import FAULT

# docs: captures/FORMAT.md, the bits of `faults`.
BREACHES = ["rsv", "opcode", "mask", "length_form", "length_top_bit", "control_length",
            "control_fragment", "orphan", "interleaved", "utf8", "close_length",
            "close_code", "after_close"]
SIDES = ("client", "server")


class Tape:
    """One finished tape."""

    def __init__(self, path):
        self.verified = run("verify", path)
        found = records(path)[1:]
        self.streams = Streams(found)
        self.frames, self.bits, self.messages = {}, {}, {}
        self.acts = [r for r in found if r[0] == SENT or r[0] == FAULT and r[8]]
        for r in found:
            if r[0] == FRAME:
                self.frames.setdefault((r[1], SIDES[r[3]]), []).append((r[4], r[7], r[5]))
                self._breach(r[1], r[3], r[8])
            elif r[0] == MORE:
                self._breach(r[1], r[3], r[4])
        for o in show(path):
            if o["record"] == "message" and not o.get("incomplete"):
                self.messages.setdefault((o["connection"], o["from"]), []).append(
                    (o["kind"], payload_of(o)))

    def _breach(self, connection, side, bits):
        key = connection, SIDES[side]
        self.bits[key] = self.bits.get(key, 0) | bits

    def breaches(self, connection, side):
        bits = self.bits.get((connection, side), 0)
        return {name for n, name in enumerate(BREACHES) if bits >> n & 1}

    def came(self, connection, side):
        return bytes(self.streams.came.get((connection, SIDES.index(side)), b""))

    def went(self, connection, side):
        return bytes(self.streams.went.get((connection, SIDES.index(side)), b""))


def payload_of(o):
    if o["kind"] == "close":
        code = b"" if o["code"] == 1005 else o["code"].to_bytes(2, "big")
        return code + o["reason"].encode()
    return o["text"].encode() if "text" in o else base64.b64decode(o["base64"])
