"""Dialogues for test_replay_round_trip: {name: turns}."""

import random
import struct
import zlib

from dialogues import FIN, RST, bye, client, said, server, shake, text
from rig.frames import (BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, TEXT, close, frame,
                        header, request)

SMALL = 1000
LARGE = 16 << 20
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"
RSV1 = 4


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


class Packer:
    """permessage-deflate of one direction."""

    def __init__(self, takeover=True, bits=15):
        self.takeover, self.bits, self.one = takeover, bits, None

    def pack(self, payload):
        if self.one is None or not self.takeover:
            self.one = zlib.compressobj(6, zlib.DEFLATED, -self.bits)
        return (self.one.compress(payload) + self.one.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def frame(self, payload, opcode=TEXT, mask=None, parts=1):
        packed = self.pack(payload)
        size = -(-len(packed) // parts)
        cut = [packed[i * size:(i + 1) * size] for i in range(parts)]
        return b"".join(
            frame(CONTINUATION if i else opcode, part, mask=mask, fin=i == parts - 1,
                  rsv=0 if i else RSV1)
            for i, part in enumerate(cut))


# ---- messages ----

def fragments(mask):
    return (frame(TEXT, b"one, ", fin=False, mask=mask)
            + frame(CONTINUATION, b"", fin=False, mask=mask)
            + frame(CONTINUATION, b"two, \xe2\x82", fin=False, mask=mask)
            + frame(CONTINUATION, b"\xac three", mask=mask))


def with_controls(mask):
    return (frame(BINARY, b"first", fin=False, mask=mask) + frame(PING, b"p1", mask=mask)
            + frame(CONTINUATION, b"second", fin=False, mask=mask)
            + frame(PONG, b"nobody asked", mask=mask) + frame(PING, mask=mask)
            + frame(CONTINUATION, b"third", mask=mask))


def small(build, count=SMALL):
    return b"".join(build(b'{"n":%d}' % n) for n in range(count))


def alternating():
    turns = shake()
    for n in range(SMALL // 4):
        turns += client(text(b'{"ask":%d}' % n)) + server(said(b'{"answer":%d}' % n))
    return turns + bye()


def talk(*turns, **kw):
    return shake(**kw) + [turn for part in turns for turn in part]


def large(opcode, mask, parts=1):
    size = LARGE // parts
    data = noise(size) if opcode == BINARY else b"a large text, " * (size // 14)
    return b"".join(frame(CONTINUATION if i else opcode, data, mask=mask,
                          fin=i == parts - 1) for i in range(parts))


MESSAGES = {
    "a question and an answer": talk(client(text("hi")), server(said("ho")), bye()),
    "fragments": talk(client(fragments(MASK)), server(fragments(None)), bye()),
    "control frames between fragments": talk(
        client(with_controls(MASK)), server(frame(PONG, b"p1") + frame(PONG)),
        server(with_controls(None)),
        client(frame(PONG, b"p1", mask=MASK) + frame(PONG, mask=MASK)), bye()),
    "binary": talk(client(frame(BINARY, bytes(range(256)), mask=MASK)),
                   server(frame(BINARY, noise(70000))), bye()),
    "empty messages": talk(
        client(text(""), frame(BINARY, mask=MASK), text("")),
        server(said(""), frame(BINARY), frame(PING)), client(frame(PONG, mask=MASK)), bye()),
    "16 MB of binary from the server": talk(
        client(text("go")), server(large(BINARY, None)), bye()),
    "16 MB of text from the client": talk(
        client(large(TEXT, MASK)), server(said("got it")), bye()),
    "16 MB in fragments, both ways": talk(
        client(large(BINARY, MASK, 8)), server(large(TEXT, None, 16)), bye()),
    "1,000 small ones at once, both ways": talk(
        client(small(text)), server(small(said)), bye()),
    "500 small ones, one after the other": alternating(),
    "other masks": talk(
        client(text("zero", mask=b"\0\0\0\0"), text("ones", mask=b"\xff\xff\xff\xff"),
               text("one", mask=b"\1\0\0\x80")), server(said("three")), bye()),
    "lengths around the borders of forms": talk(
        client(b"".join(frame(BINARY, noise(n), mask=MASK)
                        for n in (125, 126, 127, 65535, 65536))),
        server(b"".join(frame(BINARY, noise(n)) for n in (125, 126, 127, 65535, 65536))),
        bye()),
    "pings and pongs of both": talk(
        client(frame(PING, b"c1", mask=MASK)), server(frame(PONG, b"c1")),
        client(text("more")), server(frame(PING, b"s1"), frame(PING), said("more")),
        client(frame(PONG, b"s1", mask=MASK) + frame(PONG, mask=MASK)),
        server(frame(PONG, b"nobody asked")), client(frame(PONG, b"nor here", mask=MASK)),
        client(text("done")), server(said("done")), bye()),
    "pushes that nothing causes": talk(
        server(said('{"push":1}'), said('{"push":2}')), client(text("late")),
        server(said('{"push":3}'), frame(PING, b"beat"), said('{"push":4}')),
        client(frame(PONG, b"beat", mask=MASK)), bye()),
    "ids in fields and texts": talk(
        client(text('{"type":"ask","id":"6b1f0a8e-52bb-4d7f-9a44-1c1c0a0c8a11"}')),
        server(said('{"type":"ack","of":"6b1f0a8e-52bb-4d7f-9a44-1c1c0a0c8a11"}'),
               said('{"type":"log","text":"run 6b1f0a8e-52bb-4d7f-9a44-1c1c0a0c8a11"}'),
               said('{"type":"session","session":"s-81723"}')),
        client(text('{"type":"use","session":"s-81723"}')), bye()),
}  # fmt: skip


# ---- handshakes ----

def packed(offer=DEFLATE, answer=DEFLATE, takeover=True, bits=15, parts=1):
    ours, theirs = Packer(takeover), Packer(takeover, bits)
    turns = shake(ask=[offer], agree=[answer])
    for n in range(4):
        payload = b'{"type":"question","number":%d,"pad":"%s"}' % (n, b"the same " * 30)
        turns += client(ours.frame(payload, mask=MASK, parts=parts))
        turns += server(theirs.frame(payload + b" ", parts=parts))
    return turns + bye()


def mixed():
    ours, theirs = Packer(), Packer()
    return shake(ask=[DEFLATE], agree=[DEFLATE]) + client(
        ours.frame(b"packed, " * 20, mask=MASK) + text("plain")
        + ours.frame(b"packed, " * 21, mask=MASK)) + server(
        theirs.frame(b"") + said("plain") + frame(PING, b"x")
        + theirs.frame(noise(3000), BINARY)) + client(frame(PONG, b"x", mask=MASK)) + bye()


PLAIN_HEAD = (b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
              b"Content-Length: 17\r\n\r\n{\"why\":\"no name\"}")

HANDSHAKES = {
    "a subprotocol": talk(
        client(text("hi")), server(said("ho")), bye(),
        ask=[b"Sec-WebSocket-Protocol: soap, wamp"], agree=[b"Sec-WebSocket-Protocol: wamp"]),
    "a subprotocol that is not taken": talk(
        client(text("hi")), bye(), ask=[b"Sec-WebSocket-Protocol: soap"]),
    "more fields": talk(
        bye(), path="/ws?token=a%20b", ask=[b"Cookie: a=b; c=d", b"X-Twice: 1", b"x-twice: 2"],
        agree=[b"Set-Cookie: s=1; Path=/", b"Set-Cookie: t=2", b"Server: old"]),
    "a refused handshake in small writes": client(
        *(bytes([b]) for b in request("/slow"))) + server(
        b"HTTP/1.1 403 Forbidden\r\n", b"Content-Length: 0\r\n\r\n"),
    "a refused handshake, 403": client(request()) + server(PLAIN_HEAD),
    "a refused handshake, 401, then another": client(request()) + server(
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
    + shake() + client(text("now")) + bye(),
    "bad accept": client(request()) + server(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: bm90IHRoZSByaWdodCBvbmUhIQ==\r\n\r\n" + said("hi")),
}  # fmt: skip

PACKED = {
    "permessage-deflate": packed(),
    "permessage-deflate in fragments": packed(parts=3),
    "permessage-deflate without takeover": packed(
        answer=DEFLATE + b"; client_no_context_takeover; server_no_context_takeover",
        takeover=False),
    "permessage-deflate with 9 bits": packed(
        offer=DEFLATE + b"; server_max_window_bits=9",
        answer=DEFLATE + b"; server_max_window_bits=9", bits=9),
    "permessage-deflate now and then": mixed(),
}


# ---- ends ----

ENDS = {
    "the client closes": talk(client(text("x")), bye(4000, b"that was it")),
    "the server closes": talk(client(text("x")), bye(1011, b"broken", first="server")),
    "the server goes away at once": talk(bye(1001, b"restart", first="server")),
    "a close without code": talk(bye(None)),
    "a close that is echoed otherwise": talk(
        client(close(3000, b"one", mask=MASK)), server(close(3001, b"other"))),
    "closes that cross": talk(
        client(text("x")), server(said("y")), client(close(1000, b"c", mask=MASK)),
        server(close(1001, b"s"), waits=False)),
    "the client ends first after the closes": talk(bye(), client(FIN), server(FIN)),
    "the server ends without a close": talk(client(text("x")), server(said("y"), FIN)),
    "the client ends without a close": talk(
        client(text("x")), server(said("y")), client(FIN), server(FIN)),
    "the client ends, the server goes on": talk(
        client(text("x"), FIN), server(said("y"), said("z"), close(1000)), server(FIN)),
    "the server resets": talk(client(text("x")), server(said("y"), RST)),
    "the client resets": talk(client(text("x")), server(said("y")), client(RST)),
    "a reset in the middle of a frame, by the server": talk(
        client(text("x")), server(frame(BINARY, noise(5000))[:3000], RST)),
    "a reset in the middle of a frame, by the client": talk(
        server(said("y")), client(frame(BINARY, noise(5000), mask=MASK)[:3000], RST)),
    "half a header, by the server": talk(
        client(text("x")), server(said("y") + frame(BINARY, noise(500))[:3], FIN)),
    "half a header, by the client": talk(
        client(text("x") + frame(BINARY, noise(500), mask=MASK)[:5], FIN), server(FIN)),
    "half a message, by the server": talk(
        client(text("x")), server(frame(TEXT, b"hal", fin=False), FIN)),
    "nothing but a handshake": talk(server(FIN)),
}


# ---- what breaks the protocol ----

def breach(ours, theirs):
    return talk(client(text("before") + ours), server(said("before") + theirs), bye())


VIOLATIONS = {
    "unmasked client, masked server": breach(text("x", mask=None), said("x", mask=MASK)),
    "RSV bits": breach(text("x", rsv=2), said("x", rsv=7)),
    "reserved opcodes": breach(frame(3, b"x", mask=MASK), frame(13, b"x")),
    "a length in a longer form": breach(text("x", form=16), said("x", form=64)),
    "text that is not UTF-8": breach(text(b"a\xff"), said(b"\xed\xa0\x80")),
    "a control frame in fragments": breach(
        frame(PONG, b"x", fin=False, mask=MASK) + frame(CONTINUATION, b"y", mask=MASK),
        frame(PONG, b"x", fin=False) + frame(CONTINUATION, b"y")),
    "a pong of 200 bytes": breach(frame(PONG, noise(200), mask=MASK), frame(PONG, noise(200))),
    "a continuation of nothing": breach(
        frame(CONTINUATION, b"x", mask=MASK), frame(CONTINUATION, b"x")),
    "a message inside a message": breach(
        frame(TEXT, b"one", fin=False, mask=MASK) + text("two"),
        frame(TEXT, b"one", fin=False) + said("two")),
    "close codes that must not be sent": talk(
        client(close(1005, mask=MASK)), server(frame(CLOSE, b"x"))),
    "messages after the close": talk(
        client(close(1000, mask=MASK)), server(close(1000) + said("so am I"), waits=False)),
    "a length of 2^63": talk(
        client(text("x")), server(header(0x82, (1 << 63) + 5, 64, None) + b"abc", FIN)),
    "a compressed message that nobody agreed on": breach(
        Packer().frame(b"packed", mask=MASK), Packer().frame(b"packed")),
}  # fmt: skip


# ---- HTTP ----

def get(path, method=b"GET", fields=b"", body=b""):
    return method + b" " + path + b" HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n" + body


def answer(body=b"", status=b"200 OK", fields=b""):
    return (b"HTTP/1.1 " + status + b"\r\n" + fields
            + b"Content-Length: %d\r\n\r\n" % len(body) + body)


CHUNKED = b"Transfer-Encoding: chunked\r\n"

HTTP = {
    "keep-alive": client(get(b"/one")) + server(answer(b'{"n":1}')) + client(
        get(b"/two")) + server(answer(b"two")) + client(get(b"/one")) + server(
        answer(b'{"n":3}')),
    "chunked both ways": client(get(
        b"/up", b"POST", CHUNKED + b"Content-Type: text/plain\r\n",
        b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n")) + server(
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n3\r\nabc\r\n", b"1\r\nd\r\n",
        b"0\r\nX: y\r\n\r\n"),
    "HEAD, 204 and 304": client(get(b"/h", b"HEAD")) + server(
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n") + client(get(b"/g")) + server(
        b"HTTP/1.1 204 No Content\r\n\r\n") + client(get(b"/h")) + server(
        b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
    "POST and 404": client(get(b"/form", b"POST", b"Content-Length: 7\r\n", b"a=b&c=d"))
    + server(answer(b"<h1>no</h1>", b"404 Not Found", b"Content-Type: text/html\r\n")),
    "a body up to the end": client(get(b"/all")) + server(
        b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + noise(50000), FIN),
    "100 Continue": client(get(
        b"/wait", b"PUT", b"Content-Length: 4\r\nExpect: 100-continue\r\n")) + server(
        b"HTTP/1.1 100 Continue\r\n\r\n") + client(b"data") + server(answer(b"thanks")),
    "pipelined": client(get(b"/a") + get(b"/b") + get(b"/c")) + server(
        answer(b"A") + answer(b"B") + answer(b"C")),
    "health check, then a WebSocket": client(get(b"/health")) + server(answer(b"ok"))
    + shake(path="/live") + client(text("x")) + server(said("y")) + bye(),
    "an answer cut off": client(get(b"/big")) + server(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + noise(1000), FIN),
    "a reset instead of an answer": client(get(b"/never")) + server(RST),
    "another protocol": client(get(
        b"/t", fields=b"Upgrade: echo\r\nConnection: upgrade\r\n")) + server(
        b"HTTP/1.1 101 Go\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
    + client(b"\0raw\xff") + server(b"war") + client(b"more") + server(FIN),
}  # fmt: skip


# ---- several connections ----

def together(count, path):
    names = [str(n) for n in range(count)]
    turns = [t for n in names for t in shake(path(n), on=n)]
    for m in range(3):
        turns += [t for n in names for t in client(text(f"{n}: {m}"), on=n)]
        turns += [t for n in reversed(names) for t in server(said(f"{n}: got {m}"), on=n)]
    return turns + [t for n in names for t in bye(1000 + int(n) % 2, on=n)]


def one_by_one(count):
    return [t for n in range(count)
            for t in shake("/again", on=str(n)) + client(text(f"{n}"), on=str(n))
            + server(said(f"answer {n}"), on=str(n)) + bye(4000 + n, on=str(n))
            + server(FIN, on=str(n)) + client(FIN, on=str(n))]


CONNECTIONS = {
    "20 connections interleaved": together(20, lambda n: f"/{n}"),
    "5 of one path, one after the other": one_by_one(5),
}

CASES = {**MESSAGES, **HANDSHAKES, **PACKED, **ENDS, **VIOLATIONS, **HTTP, **CONNECTIONS}
