"""Streams of frames for test_identity: what is legal, and what is not.

A case is a function of the sender's masking key (None for a server) that returns bytes;
an illegal one also names a fault that the tape must know, or None when there is no more
to say than that the stream ends too early.
"""

import random
import struct

from rig.frames import (BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, TEXT, close, frame,
                        header)


def sized(n):
    return bytes(i & 0x7F for i in range(256)) * (n // 256) + bytes(n % 256)


def legal():
    cases = {}
    for name, op in (("text", TEXT), ("binary", BINARY)):
        for n in (0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537):
            cases[f"{name} of {n}"] = lambda m, op=op, n=n: frame(op, sized(n), mask=m)
    for name, op in (("ping", PING), ("pong", PONG)):
        for n in (0, 1, 125):
            cases[f"{name} of {n}"] = lambda m, op=op, n=n: frame(op, sized(n), mask=m)
    cases["close without code"] = lambda m: close(mask=m)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                 3000, 3999, 4000, 4999):
        cases[f"close {code}"] = lambda m, c=code: close(c, b"because", mask=m)
    cases["close with 123 bytes of reason"] = lambda m: close(1000, b"r" * 123, mask=m)
    cases["two fragments"] = lambda m: (
        frame(TEXT, b"one ", fin=False, mask=m) + frame(CONTINUATION, b"two", mask=m))
    cases["five fragments, some empty"] = lambda m: (
        frame(BINARY, b"", fin=False, mask=m)
        + b"".join(frame(CONTINUATION, p, fin=False, mask=m) for p in (b"a", b"", b"bc"))
        + frame(CONTINUATION, b"", mask=m))
    cases["control frames inside a message"] = lambda m: (
        frame(TEXT, b"one", fin=False, mask=m) + frame(PING, b"p", mask=m)
        + frame(CONTINUATION, b"two", fin=False, mask=m) + frame(PONG, b"", mask=m)
        + frame(CONTINUATION, b"three", mask=m))
    cases["close inside a message"] = lambda m: (
        frame(TEXT, b"one", fin=False, mask=m) + close(1001, b"going", mask=m))
    cases["a character across fragments"] = lambda m: (
        frame(TEXT, b"\xf0\x9f", fin=False, mask=m)
        + frame(CONTINUATION, b"\xa6", fin=False, mask=m)
        + frame(CONTINUATION, b"\x8a", mask=m))
    cases["200 frames at once"] = lambda m: b"".join(
        frame(TEXT if i % 2 else BINARY, b"x" * (i % 7), mask=m) for i in range(200))
    cases["text with zeros and controls"] = lambda m: frame(
        TEXT, bytes(range(128)), mask=m)
    for key in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x00\x00\x80"):
        cases[f"mask {key.hex()}"] = lambda m, k=key: frame(
            BINARY, sized(300), mask=k if m else None)
    return cases


def wrong(m):
    """The other masking than this sender must use."""
    return None if m else MASK


def illegal():
    cases = {}

    def put(name, fault, build):
        cases[name] = (fault, build)

    for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        put(f"opcode {op}", "opcode", lambda m, op=op: frame(op, b"data", mask=m))
    put("opcode 3 in fragments", "opcode", lambda m: (
        frame(3, b"one", fin=False, mask=m) + frame(CONTINUATION, b"two", mask=m)))
    for rsv in range(1, 8):
        put(f"rsv {rsv}", "rsv", lambda m, r=rsv: frame(TEXT, b"data", rsv=r, mask=m))
    for op in (PING, PONG, CLOSE, CONTINUATION):
        put(f"rsv on opcode {op}", "rsv", lambda m, op=op: frame(op, b"", rsv=4, mask=m))
    for op in (TEXT, BINARY, PING, PONG, CLOSE):
        put(f"wrong mask, opcode {op}", "mask",
            lambda m, op=op: frame(op, b"", mask=wrong(m)))
    put("wrong mask on 70000 bytes", "mask",
        lambda m: frame(BINARY, sized(70000), mask=wrong(m)))
    put("wrong mask in the second fragment", "mask", lambda m: (
        frame(TEXT, b"one", fin=False, mask=m)
        + frame(CONTINUATION, b"two", mask=wrong(m))))
    for form, n in ((16, 0), (16, 1), (16, 125), (64, 0), (64, 125), (64, 126),
                    (64, 65535)):
        put(f"length {n} in {form} bits", "length_form",
            lambda m, f=form, n=n: frame(BINARY, sized(n), form=f, mask=m))
    for form in (16, 64):
        put(f"ping with length in {form} bits", "length_form",
            lambda m, f=form: frame(PING, b"p", form=f, mask=m))
    for length in (1 << 63, (1 << 64) - 1, (1 << 63) + 5):
        put(f"length {length:#x}", "length_top_bit",
            lambda m, n=length: header(0x82, n, 64, m) + b"some")
    for name, op, n in (("ping", PING, 126), ("ping", PING, 200), ("pong", PONG, 126),
                        ("ping", PING, 65536)):
        put(f"{name} of {n}", "control_length",
            lambda m, op=op, n=n: frame(op, sized(n), mask=m))
    put("close of 126", "control_length", lambda m: close(1000, b"r" * 124, mask=m))
    for name, op in (("ping", PING), ("pong", PONG), ("close", CLOSE)):
        put(f"{name} without fin", "control_fragment",
            lambda m, op=op: frame(op, b"", fin=False, mask=m))
    put("ping in fragments", "control_fragment", lambda m: (
        frame(PING, b"a", fin=False, mask=m) + frame(CONTINUATION, b"b", mask=m)))
    for fin in (True, False):
        put(f"orphan, fin {fin}", "orphan",
            lambda m, f=fin: frame(CONTINUATION, b"data", fin=f, mask=m))
    put("orphan after a whole message", "orphan", lambda m: (
        frame(TEXT, b"whole", mask=m) + frame(CONTINUATION, b"more", mask=m)))
    put("empty orphan", "orphan", lambda m: frame(CONTINUATION, b"", mask=m))
    for name, op, fin in (("text", TEXT, True), ("binary", BINARY, True),
                          ("fragmented text", TEXT, False)):
        put(f"{name} inside a message", "interleaved", lambda m, op=op, f=fin: (
            frame(TEXT, b"one", fin=False, mask=m) + frame(op, b"two", fin=f, mask=m)
            + frame(CONTINUATION, b"three", mask=m)))
    bad = {"overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "too high":
           b"\xf4\x90\x80\x80", "stray": b"ab\x80cd", "cut": b"ab\xe2\x82", "ff": b"\xff"}
    for name, data in bad.items():
        put(f"bad text: {name}", "utf8", lambda m, d=data: frame(TEXT, d, mask=m))
        put(f"bad close reason: {name}", "utf8",
            lambda m, d=data: close(1000, d, mask=m))
    put("bad text across fragments", "utf8", lambda m: (
        frame(TEXT, b"a\xe2", fin=False, mask=m) + frame(CONTINUATION, b"a", mask=m)))
    put("close of one byte", "close_length", lambda m: frame(CLOSE, b"\x03", mask=m))
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
        put(f"close {code}", "close_code",
            lambda m, c=code: frame(CLOSE, struct.pack("!H", c), mask=m))
    for name, op in (("text", TEXT), ("ping", PING), ("close", CLOSE)):
        put(f"{name} after close", "after_close",
            lambda m, op=op: close(1000, mask=m) + frame(op, b"", mask=m))
    put("everything at once", "rsv", lambda m: (
        frame(11, sized(200), fin=False, rsv=7, form=64, mask=wrong(m))))
    return cases


def cut_short():
    """Streams that end inside a frame, and bytes that are no frames at all."""
    cases = {}
    for n in range(1, 14):
        cases[f"header cut after {n} bytes"] = lambda m, n=n: header(
            0x82, 70000, 64, m or MASK)[:n]
    for n in range(1, 10):
        cases[f"unmasked header cut after {n} bytes"] = lambda m, n=n: header(
            0x82, 70000, 64, None)[:n]
    cases["whole header, no payload"] = lambda m: header(0x82, 70000, 64, m)
    cases["payload cut"] = lambda m: frame(TEXT, b"half", mask=m, length=9)
    cases["long payload cut"] = lambda m: frame(BINARY, sized(9000), mask=m, length=1 << 40)
    cases["a frame, then a cut header"] = lambda m: (
        frame(TEXT, b"whole", mask=m) + frame(TEXT, b"", mask=m, form=16)[:3])
    cases["HTTP after the upgrade"] = lambda m: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    cases["a TLS hello"] = lambda m: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + sized(507)
    cases["zeros"] = lambda m: bytes(100)
    cases["ones"] = lambda m: b"\xff" * 100
    for seed in range(4):
        cases[f"noise {seed}"] = lambda m, s=seed: random.Random(s).randbytes(700)
    return cases
