"""`wstape show` from outside: what it prints, and what it never prints."""

import json
import os
import pty
import subprocess

import pytest

from rig import frames, raw
from rig.process import BROKEN, binary, run

CONTROL = {*range(0x20), 0x7F, *range(0x80, 0xA0)} - {0x0A, 0x09}
EVIL = "\x1b[2J\x1b]0;title\x07\x08\x00\x9b31m\u202e\u2028\x7f\r<&>"


@pytest.fixture
def session(record, listener):
    """A tape with a little of everything."""
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener, "/ws/test?x=1")
    m = frames.MASK

    def pass_on(a, b, data):
        a.send(data)
        b.read_to(len(b.got) + len(data))

    pass_on(server, client, frames.frame(1, b'{"type":"connection_established"}'))
    for i in range(3):
        pass_on(client, server, frames.frame(1, b'{"type":"chat_message"}', mask=m))
        pass_on(server, client, frames.frame(1, b'{"type":"agent_%d"}' % i))
    pass_on(client, server, frames.frame(9, b"beat", mask=m))
    pass_on(server, client, frames.frame(10, b"beat"))
    pass_on(server, client, frames.frame(2, bytes(range(256))))
    pass_on(client, server, frames.frame(1, b"rsv", rsv=2, mask=m))
    pass_on(server, client, frames.close(1011, b"Internal error"))
    pass_on(client, server, frames.close(1011, b"Internal error", mask=m))
    for end in (server, client):
        end.fin()
    for end in (server, client):
        end.read_end()
    http = raw.connect(w.port)
    http.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    server = listener.take()
    server.read_head()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}")
    http.read_to(len(server.sent))
    for end in (client, http, server):
        end.close()
    w.stop()
    return w


def plain(*args, **kw):
    p = run("show", *args, **kw)
    assert p.returncode == 0 and not BROKEN.search(p.stderr), p.stderr
    return p.stdout


@pytest.mark.sanitize
def test_timeline(session):
    out = plain(session.tape)
    for what in ("/ws/test?x=1", "/health", "connection_established", "chat_message",
                 "agent_2", "ping", "pong", "beat", "1011", "Internal error", "101", "rsv"):
        assert what in out, what
    # In the order in which it happened.
    at = [out.index(w) for w in ("connection_established", "agent_0", "agent_1", "agent_2",
                                 "beat")]
    assert at == sorted(at)


@pytest.mark.sanitize
def test_json_objects(session):
    shown = session.show()
    assert shown.objects[0]["record"] == "tape"
    assert shown.objects[-1]["record"] == "summary"
    ws = shown.one("connection", path="/ws/test?x=1")
    assert ws["status"] == 101 and ws["client"].startswith("127.0.0.1:")
    assert ws["duration"] > 0 and ws["opened"] >= 0
    assert (ws["from_client"]["messages"], ws["from_server"]["messages"]) == (4, 5)
    first = shown.all("message", connection=ws["connection"])[0]
    assert first["from"] == "server" and first["message"] == 1
    assert first["kind"] == "text" and first["size"] == 33
    assert json.loads(first["text"])["type"] == "connection_established"
    times = [m["time"] for m in shown.all("message")]
    assert times == sorted(times) and all(isinstance(t, float) for t in times)
    binary_ = shown.one("message", kind="binary")
    assert "base64" in binary_ and binary_["size"] == 256 and "text" not in binary_
    closes = shown.all("message", kind="close")
    assert [(c["code"], c["reason"]) for c in closes] == [(1011, "Internal error")] * 2
    assert all("message" not in m for m in closes)
    request = shown.one("request", target="/health")
    assert request["method"] == "GET" and request["head"].startswith("GET /health HTTP/1.1")
    assert shown.all("response", connection=request["connection"])[0]["status"] == 200
    body = shown.one("body")
    assert body["text"] == '{"status":"ok"}' and body["from"] == "server"
    assert {(e["connection"], e["side"]) for e in shown.all("end")} == {
        (c, s) for c in (1, 2) for s in ("client", "server")}


def test_frames(session):
    shown = session.show("--frames")
    f = shown.all("frame", connection=1)
    opcodes = [x["opcode"] for x in f if x["from"] == "client"]
    assert opcodes == [1, 1, 1, 9, 1, 8]
    for x in f:
        assert x["fin"] is True and x["masked"] == (x["from"] == "client")
        assert x.get("mask") == ("a1b2c3d4" if x["masked"] else None)
        assert x["form"] in (7, 16, 64)
    odd = [x for x in f if x.get("faults")]
    assert len(odd) == 1 and odd[0]["rsv"] == 2 and odd[0]["faults"] == ["rsv"]
    large = [x for x in f if x["length"] == 256]
    assert large[0]["form"] == 16
    text = plain("--frames", session.tape)
    assert "a1b2c3d4" in text and "rsv" in text


def test_one_connection(session):
    shown = session.show("--connection", 2)
    assert {o["connection"] for o in shown.objects if "connection" in o
            and o["record"] != "connection"} == {2}
    assert "agent_1" not in plain("--connection", "2", session.tape)
    assert "agent_1" in plain("--connection", "1..2", session.tape)
    for bad in ("x", "0", "3..1", ""):
        p = run("show", "--connection", bad, session.tape)
        assert p.returncode == 2 and p.stderr, bad


def test_http(session):
    out = plain("--http", session.tape)
    for line in ("GET /health HTTP/1.1", "Host: ", "Sec-WebSocket-Version: 13",
                 "HTTP/1.1 200 OK", "Content-Length: 15", '{"status":"ok"}'):
        assert line in out, line


def test_stats(session):
    out = plain("--stats", session.tape).lower()
    for word in ("count", "min", "median", "p95", "max"):
        assert word in out, out
    objects = [json.loads(line) for line in
               plain("--stats", "--json", session.tape).splitlines()]
    flat = json.dumps(objects)
    for word in ("count", "min", "median", "p95", "max"):
        assert f'"{word}"' in flat


def on_terminal(*args, env=None):
    """The bytes a terminal gets from wstape."""
    main, side = pty.openpty()
    p = subprocess.Popen([binary(), *map(str, args)], stdin=side, stdout=side, stderr=side,
                         env={**os.environ, "TERM": "xterm-256color", **(env or {})})
    os.close(side)
    out = bytearray()
    try:
        while data := os.read(main, 65536):
            out += data
    except OSError:
        pass  # the other end is closed
    os.close(main)
    assert p.wait(30) == 0, bytes(out)
    return bytes(out)


def test_colour_only_on_a_terminal(session):
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    assert "\x1b" not in plain(session.tape, env=env)
    os.environ.pop("NO_COLOR", None)
    assert b"\x1b[" in on_terminal("show", session.tape)
    assert b"\x1b" not in on_terminal("show", session.tape, env={"NO_COLOR": "1"})


@pytest.fixture
def hostile(record, listener):
    """Bytes that a terminal would obey, wherever a peer can put bytes."""
    w = record(listener.url())
    m = frames.MASK
    every = bytes(b for b in range(256) if b not in (13, 10))
    latin = bytes(c for c in CONTROL if c not in (0, 13, 10))
    client = raw.connect(w.port)
    client.send(frames.request("/evil", extra=[b"X-Evil: " + every[128:]]))
    server = listener.take()
    server.send(frames.response(server.read_head(), extra=[b"X-B: \x1b[31m\x9b\x07"]))
    client.read_head()
    evil = EVIL.encode()
    for a, b, mask in ((client, server, m), (server, client, None)):
        for data in (frames.frame(1, evil, mask=mask), frames.frame(1, every, mask=mask),
                     frames.frame(2, every, mask=mask),
                     frames.frame(9, latin[:125], mask=mask),
                     frames.frame(7, evil, rsv=7, mask=mask),
                     frames.close(1000, evil, mask=mask),
                     frames.frame(1, every, mask=mask), latin):
            start = len(b.got)
            a.send(data)
            if data is latin:
                a.fin()
                b.read_end()
            else:
                b.read_to(start + len(data))
    for target in (b"/\x1b[31m", b"/\x9b", b"/\xc2\x9b1m", b"/\xff\xfe"):
        odd = raw.connect(w.port)
        odd.send(b"GET " + target + b" HTTP/1.1\r\nHost: h\x1b[1m\r\n\r\n" + latin)
        if listener in raw.any_readable([odd, listener]):
            listener.take().rst()
        odd.read_end()
        odd.close()
    client.close()
    server.close()
    w.stop()
    return w


VIEWS = [(), ("--frames",), ("--http",), ("--stats",), ("--json",), ("--frames", "--json"),
         ("--connection", "1")]


@pytest.mark.sanitize
@pytest.mark.parametrize("view", VIEWS, ids=lambda v: " ".join(v) or "timeline")
def test_no_raw_control_characters(hostile, view):
    p = run("show", *view, hostile.tape, text=False)
    assert p.returncode == 0, p.stderr
    for stream in (p.stdout, p.stderr):
        text = stream.decode("utf-8")  # and it is UTF-8, whatever came
        assert not {hex(ord(c)) for c in text if ord(c) in CONTROL}
        # What turns the text around, or breaks its lines, is shown as what it is.
        assert not set(text) & set("\u202e\u2028\u2029\u2066\u200e")
    if "--json" in view:
        for line in p.stdout.splitlines():
            json.loads(line)


def test_no_raw_control_characters_on_a_terminal(hostile):
    out = on_terminal("show", hostile.tape, env={"NO_COLOR": "1"}).decode("utf-8")
    assert not {hex(ord(c)) for c in out.replace("\r\n", "\n") if ord(c) in CONTROL}


def test_json_keeps_hostile_bytes(hostile):
    shown = hostile.show()
    texts = [m for m in shown.all("message", connection=1, kind="text") if "text" in m]
    assert EVIL in [m["text"] for m in texts]


@pytest.mark.parametrize("content", [b"", b"not a tape", b"\x80", b"\x93\x01\x02\x03",
                                     b"{}\n" * 100, bytes(5000), b"\xc1" * 5000])
def test_not_a_tape(tmp_path, content):
    file = tmp_path / "x.wstape"
    file.write_bytes(content)
    for verb in ("show", "verify"):
        p = run(verb, file)
        assert p.returncode in (1, 3) and p.stderr, (verb, p)
        assert not BROKEN.search(p.stderr)


def test_no_such_tape(tmp_path):
    for verb in ("show", "verify"):
        p = run(verb, tmp_path / "none.wstape")
        assert p.returncode == 3 and "none.wstape" in p.stderr
