"""HTTP passes byte for byte (the Host is already the upstream's here), and the tape has
it: keep-alive, pipelining, chunks and trailers, HEAD, 1xx, 204 and 304, bodies that end
with the connection, refused upgrades, tunnels."""

import base64

import pytest

from rig import frames, raw
from rig.process import Wstape
from rig.tape import CLIENT, SERVER, Tail
from test_identity import pieces

BIG = bytes(range(256)) * 1000
CHUNKS = (b"5\r\nhello\r\n1;ext=\"a b\"\r\n!\r\nA\r\n0123456789\r\n"
          b"0\r\nX-Trailer: t\r\nx-sum: 1\r\n\r\n")


class Lab:
    def __init__(self, folder):
        self.listener = raw.Listener()
        self.wstape = Wstape(folder, self.listener.url())
        self.tail = Tail(self.wstape.tape)
        self.count = 0
        self.near, self.far = raw.upgrade(self.wstape.port, self.listener, "/barrier")

    def send(self, end, data, split):
        for piece in pieces(data, split):
            end.send(piece)
            if split != "whole":
                self.near.send(frames.frame(frames.PING, mask=frames.MASK))
                self.far.read_to(len(self.far.got) + 6)

    def stop(self):
        self.near.close()
        self.far.close()
        self.wstape.stop()
        self.tail.close()
        self.listener.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    one = Lab(tmp_path_factory.mktemp("http"))
    yield one
    one.stop()


def request(method, path, *fields, body=b""):
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: HOST", *fields,
                         b"", body])


def response(status, *fields, body=b""):
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"", body])


def length(n):
    return b"Content-Length: %d" % n


OK = response(b"200 OK", b"content-type: text/plain", length(2), body=b"ok")
CHUNKED = b"Transfer-Encoding: chunked"
UPGRADE = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
PING = frames.frame(frames.PING, b"p", mask=frames.MASK)

# Name: what passes, in order. PATH stands for a path of the case's own, and HOST for the
# upstream's. A step goes on when the other end has received it whole; "end" ends that
# direction with FIN.
CASES = {
    "get": [("client", request(b"GET", b"PATH")), ("server", OK)],
    "fields as spelled": [
        ("client", request(b"GET", b"PATH", b"aCCepT:text/html ,x", b"X-A:  two  words ",
                           b"x-a:", b"X-A: again", b"Cookie: a=\"b\"; c", b"Via: 1.0 me")),
        ("server", response(b"200 Sure, why not", b"set-cookie: a=1", b"Set-Cookie: b=2",
                            b"SERVER:none", length(0)))],
    "keep-alive": [(side, data) for _ in range(3) for side, data in
                   (("client", request(b"GET", b"PATH")), ("server", OK))],
    "pipelining": [
        ("client", request(b"GET", b"PATH") + request(b"POST", b"PATH/2", length(3),
                                                      body=b"abc")
         + request(b"HEAD", b"PATH/3") + request(b"GET", b"PATH/4")),
        ("server", OK + OK + response(b"200 OK", length(99)) + OK)],
    "chunked both ways, with trailers": [
        ("client", request(b"POST", b"PATH", CHUNKED, body=CHUNKS)),
        ("server", response(b"200 OK", CHUNKED, b"Trailer: X-Trailer", body=CHUNKS)),
        ("client", request(b"GET", b"PATH/2")), ("server", OK)],
    "large bodies": [
        ("client", request(b"PUT", b"PATH", length(len(BIG)), body=BIG)),
        ("server", response(b"201 Created", length(len(BIG)), body=BIG))],
    "head": [
        ("client", request(b"HEAD", b"PATH")),
        ("server", response(b"200 OK", length(5000))),
        ("client", request(b"GET", b"PATH/2")), ("server", OK)],
    "head of a chunked resource": [
        ("client", request(b"HEAD", b"PATH")), ("server", response(b"200 OK", CHUNKED)),
        ("client", request(b"GET", b"PATH/2")), ("server", OK)],
    "expect and continue": [
        ("client", request(b"POST", b"PATH", b"Expect: 100-continue", length(4))),
        ("server", response(b"100 Continue")), ("client", b"body"), ("server", OK)],
    "expect refused": [
        ("client", request(b"POST", b"PATH", b"Expect: 100-continue", length(4))),
        ("server", response(b"417 No", length(0), b"Connection: close")),
        ("server", "end"), ("client", "end")],
    "early hints": [
        ("client", request(b"GET", b"PATH")),
        ("server", response(b"103 Early Hints", b"Link: </a>")
         + response(b"102 Processing") + OK)],
    "204 and 304 have no body": [
        ("client", request(b"DELETE", b"PATH")), ("server", response(b"204 No Content")),
        ("client", request(b"GET", b"PATH/2", b"If-None-Match: \"x\"")),
        ("server", response(b"304 Not Modified", length(10), b"ETag: \"x\"")),
        ("client", request(b"GET", b"PATH/3")), ("server", OK)],
    "until the end": [
        ("client", request(b"GET", b"PATH")),
        ("server", response(b"200 OK", b"Connection: close", body=BIG)), ("server", "end"),
        ("client", "end")],
    "HTTP/1.0": [
        ("client", b"GET PATH HTTP/1.0\r\nHost: HOST\r\n\r\n"),
        ("server", b"HTTP/1.0 200 OK\r\n\r\nold"), ("server", "end"), ("client", "end")],
    "client ends first": [
        ("client", request(b"GET", b"PATH")), ("client", "end"), ("server", OK),
        ("server", "end")],
    "refused upgrade, then more": [
        ("client", request(b"GET", b"PATH", *UPGRADE)),
        ("server", response(b"403 Forbidden", length(27),
                            body=b'{"error":"bypass required"}')),
        ("client", request(b"GET", b"PATH/2")), ("server", OK),
        ("client", request(b"GET", b"PATH/3", *UPGRADE)),
        ("server", response(b"101 Switching Protocols", b"Upgrade: websocket",
                            b"Connection: Upgrade",
                            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
        ("client", PING), ("server", frames.frame(frames.PONG, b"p"))],
    "http, then a socket": [
        ("client", request(b"GET", b"PATH")), ("server", OK),
        ("client", request(b"GET", b"PATH/2", *UPGRADE)),
        ("server", response(b"101 Switching Protocols", b"upgrade: WebSocket",
                            b"connection: keep-alive, upgrade") + frames.frame(1, b"hi")),
        ("client", PING)],
    "upgrade to something else": [
        ("client", request(b"GET", b"PATH", b"Connection: upgrade", b"Upgrade: tcp")),
        ("server", response(b"101 Switching Protocols", b"Connection: upgrade",
                            b"Upgrade: tcp") + b"\x00\x01server speaks"),
        ("client", b"\xff\xfe and client\r\n\r\n"), ("client", "end"),
        ("server", bytes(range(256))), ("server", "end")],
    "connect": [
        ("client", b"CONNECT HOST HTTP/1.1\r\nHost: HOST\r\nX-Path: PATH\r\n\r\n"),
        ("server", response(b"200 Connected")), ("client", b"\x16\x03\x01anything"),
        ("server", b"\x16\x03\x03and back"), ("server", "end"), ("client", "end")],
    "options star": [
        ("client", b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\nX-Path: PATH\r\n\r\n"),
        ("server", response(b"200 OK", b"Allow: GET", length(0)))],
    "odd but fair answer": [
        ("client", request(b"GET", b"PATH")),
        ("server", b"HTTP/1.1 299\r\nContent-Length:2\r\n\r\nok")],
    "body cut off": [
        ("client", request(b"GET", b"PATH")),
        ("server", response(b"200 OK", length(100), body=b"only this")),
        ("server", "end"), ("client", "end")],
    "a first answer before the whole body": [
        ("client", request(b"POST", b"PATH", length(10), body=b"12345")),
        ("server", response(b"413 Too Large", length(0))), ("client", b"67890")],
}


@pytest.mark.sanitize
@pytest.mark.parametrize("split", ["whole", "bytes", "random"])
@pytest.mark.parametrize("case", CASES)
def test_http(lab, case, split):
    lab.count += 1
    path = b"/http/%d" % lab.count
    host = b"127.0.0.1:%d" % lab.listener.port
    client, server = raw.connect(lab.wstape.port), None
    for side, what in CASES[case]:
        if side == "server" or what == "end":
            a, b = (client, server) if side == "client" else (server, client)
        if what == "end":
            a.fin()
            assert b.read_end() == "fin"
            continue
        data = what.replace(b"PATH", path).replace(b"HOST", host)
        if server is None:
            lab.send(client, data, split)
            server = lab.listener.take()
            a, b = client, server
        else:
            a, b = (client, server) if side == "client" else (server, client)
            lab.send(a, data, split)
        b.read_to(len(a.sent))
        assert b.got == a.sent
    check(lab, client, server)
    client.close()
    server.close()


def check(lab, client, server):
    streams = lab.tail.read()
    c = max(streams.paths.values())
    assert streams.came[c, CLIENT] == client.sent == server.got
    assert streams.came.get((c, SERVER), b"") == server.sent == client.got
    assert streams.went[c, CLIENT] == client.got
    assert streams.went[c, SERVER] == server.got


def test_host_is_the_upstreams(lab):
    """Only the Host's value is changed, and an Origin that names the listener."""
    client = raw.connect(lab.wstape.port)
    port = b"%d" % lab.wstape.port
    lines = [b"GET /host HTTP/1.1", b"X-One: 1", b"hOsT:   127.0.0.1:" + port, b"X-Two: 2",
             b"Origin: http://127.0.0.1:" + port, b"", b""]
    client.send(b"\r\n".join(lines))
    server = lab.listener.take()
    got = server.read_head().split(b"\r\n")
    upstream = b"127.0.0.1:%d" % lab.listener.port
    assert got[0] == lines[0] and got[1] == lines[1] and got[3] == lines[3]
    assert got[2].startswith(b"hOsT:") and got[2].endswith(upstream)
    assert got[4] == b"Origin: http://" + upstream
    assert len(got) == len(lines)
    client.close()
    server.close()


def test_body_over_the_limit_is_cut(record, listener):
    """The tape keeps the start and says so; the bytes pass whole."""
    w = record(listener.url(), "--http-body-limit", "1k")
    client = raw.connect(w.port)
    body = bytes(range(256)) * 40
    client.send(request(b"POST", b"/up", length(len(body)), body=body))
    server = listener.take()
    server.read_to(len(client.sent) + len(b"127.0.0.1:%d" % listener.port) - len(b"HOST"))
    assert server.got.endswith(body)
    answer = response(b"200 OK", length(len(body)), body=body)
    server.send(answer)
    assert client.read_to(len(answer)) == answer
    client.send(request(b"GET", b"/small"))
    server.send(OK)
    client.read_to(len(answer) + len(OK))
    w.stop()

    bodies = w.show().all("body")
    assert [(b["from"], b["size"], bool(b.get("cut"))) for b in bodies] == [
        ("client", len(body), True), ("server", len(body), True), ("server", 2, False)]
    for b in bodies[:2]:
        kept = base64.b64decode(b["base64"])
        assert kept == body[:len(kept)] and 0 < len(kept) <= 1024
    assert (1, CLIENT) in Tail(w.tape).read().cut


SMUGGLES = {
    "length and chunked": [b"Content-Length: 4", CHUNKED],
    "two lengths": [b"Content-Length: 4", b"Content-Length: 5"],
    "length list": [b"Content-Length: 4, 5"],
    "signed length": [b"Content-Length: +4"],
    "huge length": [b"Content-Length: 99999999999999999999"],
    "hex length": [b"Content-Length: 0x4"],
    "chunked twice": [b"Transfer-Encoding: chunked, chunked"],
    "chunked not last": [b"Transfer-Encoding: chunked, gzip"],
    "unknown coding": [b"Transfer-Encoding: xchunked"],
    "space before colon": [b"Content-Length : 4"],
    "folded field": [b"X-A: b\r\n Content-Length: 4"],
    "bare CR": [b"X-A: b\rContent-Length: 4"],
    "zero byte": [b"X-A: b\x00c"],
    "two hosts": [b"Host: other"],
    "empty name": [b": x"],
}


@pytest.mark.sanitize
@pytest.mark.parametrize("case", SMUGGLES)
def test_smuggling_gets_no_help(lab, case):
    client = raw.connect(lab.wstape.port)
    client.send(request(b"POST", b"/bad", *SMUGGLES[case], body=b"0\r\n\r\nGET /x"))
    head = client.read_head()
    assert client.read_end() in ("fin", "reset")
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert b"application/json" in head.lower() and b'"error"' in client.got
    client.close()
