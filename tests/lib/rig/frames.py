"""WebSocket frames as bytes (RFC 6455, section 5.2), legal or not."""

import base64
import hashlib
import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
MASK = bytes.fromhex("a1b2c3d4")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def xor(data, mask, at=0):
    """`data`, which starts at offset `at` of a payload, with the masking key applied."""
    if not data:
        return b""
    key = mask[at % 4:] + mask[:at % 4]
    whole = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(
        len(data), "big")


def header(first, length, form, mask):
    """Header bytes: the length in the given form (7, 16 or 64 bits)."""
    bit = 0x80 if mask is not None else 0
    if form == 7:
        out = struct.pack("!BB", first, bit | length)
    elif form == 16:
        out = struct.pack("!BBH", first, bit | 126, length)
    else:
        out = struct.pack("!BBQ", first, bit | 127, length)
    return out + (mask or b"")


def frame(opcode, payload=b"", *, mask=None, fin=True, rsv=0, form=None, length=None):
    """One frame. `rsv` 0..7; `form` and `length` may lie about the payload."""
    n = len(payload) if length is None else length
    if form is None:
        form = 7 if n < 126 else 16 if n < 65536 else 64
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    return header(first, n, form, mask) + (xor(payload, mask) if mask else payload)


def close(code=None, reason=b"", **kw):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason, **kw)


def accept(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def request(path="/", host="127.0.0.1", extra=()):
    """An opening handshake; `extra` are more header lines (bytes)."""
    key = base64.b64encode(os.urandom(16))
    lines = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: " + host.encode(),
             b"Upgrade: websocket", b"Connection: Upgrade",
             b"Sec-WebSocket-Key: " + key, b"Sec-WebSocket-Version: 13", *extra]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def response(request_head, extra=()):
    """The 101 that answers `request_head`."""
    key = b""
    for line in request_head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket",
             b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + accept(key), *extra]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def parse_one(data, at=0):
    """The frame at offset `at` as (first byte, mask, payload), and its end; None, at when
    it is not complete."""
    if at + 2 > len(data):
        return None, at
    first, second = data[at], data[at + 1]
    n, size = second & 0x7F, 2
    if n > 125:
        size = 4 if n == 126 else 10
        n = int.from_bytes(data[at + 2:at + size], "big")
    mask = None
    if second & 0x80:
        mask = bytes(data[at + size:at + size + 4])
        size += 4
    if at + size + n > len(data):
        return None, at
    payload = bytes(data[at + size:at + size + n])
    return (first, mask, xor(payload, mask) if mask else payload), at + size + n
