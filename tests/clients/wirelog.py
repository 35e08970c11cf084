"""One JSON line for every message that an end sends or receives, on stdout.

{"path":"/ws/1","dir":"got","kind":"text","size":5,"sha":"2cf2..."} and for a close
{"path":..,"dir":..,"kind":"close","code":1000,"reason":"done"}; the last line of a
connection is {"path":..,"end":true}. Pings and pongs have size and sha, as messages have.
"""

import hashlib
import json
import sys


def emit(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def entry(kind, payload):
    """A log entry (without path and direction) for the bytes of a message."""
    if kind == "close":
        code = int.from_bytes(payload[:2], "big") if payload else 1005
        return {"kind": kind, "code": code, "reason": payload[2:].decode()}
    digest = hashlib.sha256(payload).hexdigest()[:16]
    return {"kind": kind, "size": len(payload), "sha": digest}


def log(path, direction, kind, payload):
    if isinstance(payload, str):
        payload = payload.encode()
    emit(path=path, dir=direction, **entry(kind, bytes(payload)))


def text(size):
    return ("abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size]


def binary(size):
    whole = bytes((i * 7 + size) & 255 for i in range(256))
    return (whole * (size // 256 + 1))[:size]


class FrameLog:
    """Joins the frames of one direction into messages and logs them."""

    KINDS = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}

    def __init__(self, direction):
        self.direction, self.kind, self.parts = direction, None, []

    def frame(self, path, fin, opcode, data):
        if opcode >= 8:
            log(path, self.direction, self.KINDS[opcode], data)
            return
        if opcode:
            self.kind, self.parts = self.KINDS[opcode], []
        self.parts.append(bytes(data))
        if fin:
            log(path, self.direction, self.kind, b"".join(self.parts))
