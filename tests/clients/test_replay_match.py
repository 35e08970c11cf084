"""What replay says of a client that does not do what the recorded one did."""

import asyncio
import json
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.legacy.client import connect

from agent import TIMEOUT
from product import DONE, Product, chat, session
from rig import raw
from tapes import get, recorded

ECHO = {"type": "agent_started", "run_id": "r-1"}
KINDS = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", DONE]


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    with Product() as product:
        return recorded(tmp_path_factory.mktemp("tape"), product.url, lambda w: (
            session(w.url("/ws/test"), ["hello"]), get(w.url("/health", "http"))))[0]


async def until_done(ws):
    """The messages up to the end of a run."""
    got = []
    while not got or got[-1]["type"] != DONE:
        got.append(json.loads(await ws.recv()))
    return got


def talk(url, conversation):
    """Run conversation(ws) on a connection."""
    async def run():
        async with connect(url, ping_interval=None, close_timeout=5) as ws:
            return await conversation(ws)

    return asyncio.run(asyncio.wait_for(run(), TIMEOUT))


def told(w, text):
    """A line of a running replay, without stopping the world."""
    return asyncio.get_running_loop().run_in_executor(None, w.tells, text)


def test_a_client_that_says_what_the_backend_says(tape, replay):
    """Case 7: told what was expected; no answer but to what the tape answers."""
    w = replay(tape, "--pace", "max")

    async def conversation(ws):
        await ws.recv()
        await ws.send(json.dumps(ECHO))
        line = await told(w, "is not what the tape has next")
        await (await ws.ping())  # an answer would have come before the pong
        silent = len(ws.messages) == 0
        await ws.send(json.dumps(chat("hello")))
        return line, silent, await until_done(ws)

    line, silent, run = talk(w.url("/ws/test"), conversation)
    assert line.startswith("connection 1 message 1 is not what the tape has next: "
                           'expected {"type": "chat_message"')
    assert 'got {"type": "agent_started"' in line
    assert '$.type: "chat_message" → "agent_started"' in line
    assert silent and [m["type"] for m in run] == KINDS


def test_wrong_kind_closes(tape, replay):
    w = replay(tape, "--on-mismatch", "close")

    async def conversation(ws):
        await ws.recv()
        await ws.send(json.dumps(ECHO))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        return ws.close_code, ws.close_reason

    code, reason = talk(w.url("/ws/test"), conversation)
    assert code == 1008 and "message 1" in reason and len(reason.encode()) <= 123
    assert w.stop() == 0


@pytest.mark.parametrize("mode,status", [("report", 0), ("fail", 1)])
def test_status(mode, status, tape, replay):
    w = replay(tape, "--pace", "max", "--on-mismatch", mode)

    async def conversation(ws):
        await ws.send(json.dumps(ECHO))
        await ws.send(json.dumps(chat("hello")))
        return await until_done(ws)

    assert len(talk(w.url("/ws/test"), conversation)) == 6
    w.stop(expect=status)


@pytest.mark.parametrize("mode", ["report", "fail"])
def test_status_of_a_good_run(mode, tape, replay):
    w = replay(tape, "--pace", "max", "--on-mismatch", mode)
    session(w.url("/ws/test"), ["hello"])
    w.stop(expect=0)


def test_json(tape, replay):
    w = replay(tape, "--pace", "max", "--json")

    async def conversation(ws):
        await ws.send(json.dumps(ECHO))
        await ws.send(json.dumps(chat("something else")))
        return await until_done(ws)

    talk(w.url("/ws/test"), conversation)
    w.stop()
    found = [o for o in w.objects() if o.get("mismatch")]
    assert [o["record"] for o in found] == ["unexpected", "difference", "early"]
    assert found[0]["after"] == ECHO and found[0]["message"] == 1
    assert found[0]["before"]["type"] == "chat_message"
    assert (found[1]["path"], found[1]["before"], found[1]["after"]) == (
        "$.message", "hello", "something else")
    assert all(o["connection"] == 1 for o in found)


def test_a_stall_is_told(tape, replay):
    """Of a client that stops short; the connection stays as it is."""
    w = replay(tape, "--pace", "max")

    async def conversation(ws):
        await ws.recv()
        first = await told(w, "waits for message 1")
        await ws.send(json.dumps(chat("hello")))
        run = await until_done(ws)
        return first, await told(w, "waits for message 2"), run

    first, second, run = talk(w.url("/ws/test"), conversation)
    assert first.startswith('connection 1 waits for message 1: {"type": "chat_message"')
    assert second.startswith('connection 1 waits for message 2: {"type":"ping","n":1}')
    assert [m["type"] for m in run] == KINDS


def test_a_client_that_ends_early(tape, replay):
    w = replay(tape, "--pace", "max")

    async def conversation(ws):
        await ws.recv()
        await ws.close(1000, "had enough")
        return ws.close_code, ws.close_reason

    assert talk(w.url("/ws/test"), conversation) == (1000, "")
    line = w.tells("ended early")
    assert line.startswith("connection 1 ended early: 2 messages of the tape did not come, "
                           'the first is message 1: {"type": "chat_message"')


def test_a_client_that_says_too_much(tape, replay):
    w = replay(tape, "--pace", "max")

    async def conversation(ws):
        await ws.send(json.dumps(chat("hello")))
        run = await until_done(ws)
        await ws.send('{"type":"ping","n":1}')
        pong = json.loads(await ws.recv())
        await ws.send(json.dumps(chat("one more")))
        line = await told(w, "but the tape has only")
        await (await ws.ping())
        return run, pong, line, len(ws.messages)

    run, pong, line, more = talk(w.url("/ws/test"), conversation)
    assert len(run) == 6 and pong == {"type": "pong", "echo": 1} and more == 0
    assert line.startswith("connection 1 sent message 3, but the tape has only 2: "
                           '{"type": "chat_message"')


def test_an_unknown_socket(tape, replay):
    w = replay(tape)

    async def nothing(ws):
        return ws

    with pytest.raises(Exception, match="HTTP 404"):
        talk(w.url("/ws/other"), nothing)
    line = w.tells("/ws/other")
    assert line == "connection 1: GET /ws/other is not on the tape: answered with 404"


KEY, VERSION = b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Version: "
SOUND_KEY = KEY + b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize("fields,status,why", [
    ([VERSION + b"13"], 400, "no Sec-WebSocket-Key in the handshake"),
    ([VERSION + b"13", KEY + b"hello"], 400,
     "Sec-WebSocket-Key is 'hello', not 16 bytes in base64"),
    ([SOUND_KEY], 400, "no Sec-WebSocket-Version in the handshake"),
    ([SOUND_KEY, VERSION + b"8"], 426, "Sec-WebSocket-Version is '8', not 13")])
def test_a_handshake_that_no_server_takes(fields, status, why, tape, replay):
    """Refused, told, and the tape's session is still there for one that is sound."""
    w = replay(tape, "--pace", "max", "--when-exhausted", "refuse", "--on-mismatch",
               "fail")
    end = raw.connect(w.port)
    end.send(b"\r\n".join([b"GET /ws/test HTTP/1.1", b"Host: 127.0.0.1",
                           b"Upgrade: websocket", b"Connection: Upgrade", *fields])
             + b"\r\n\r\n")
    assert end.read_end() == "fin"
    head, _, body = bytes(end.got).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert (b"\r\nSec-WebSocket-Version: 13\r\n" in head) == (status == 426)
    assert json.loads(body) == {"error": f"GET /ws/test: {why}", "method": "GET",
                                "target": "/ws/test"}
    line = f"connection 1: GET /ws/test: {why}: answered with {status}"
    assert w.tells("Sec-WebSocket") == line
    assert len(session(w.url("/ws/test"), ["hello"]).texts) == 7
    w.stop(expect=1)
    assert "1 mismatch:" in w.told() and "  " + line in w.told()


@pytest.mark.parametrize("method,path", [("GET", "/nowhere"), ("POST", "/health"),
                                         ("GET", "/ws/test")])
def test_an_unknown_request(method, path, tape, replay):
    """404, with what is on the tape; a socket's path is no page."""
    w = replay(tape)
    request = urllib.request.Request(w.url(path, "http"), method=method,
                                     data=b"{}" if method == "POST" else None)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 404
    assert caught.value.headers["Content-Type"].startswith("application/json")
    body = json.loads(caught.value.read())
    listed = next(v for v in body.values() if isinstance(v, list))
    assert [(e["method"], e["target"], e["websocket"]) for e in listed] == [
        ("GET", "/ws/test", True), ("GET", "/health", False)]
    w.tells(f"connection 1: {method} {path} is not on the tape: answered with 404")


# ---- how it is compared ----


def one_chat(w, text):
    async def conversation(ws):
        await ws.send(text)
        return await until_done(ws)

    return talk(w.url("/ws/test"), conversation)


def differences(w):
    w.stop()
    return [o for o in w.objects() if o["record"] in ("difference", "unexpected")]


def test_spaces_and_order_are_nothing(tape, replay):
    w = replay(tape, "--pace", "max", "--json")
    said = chat("hello")
    one_chat(w, json.dumps(dict(reversed(said.items())), separators=(" ,", "   : ")))
    assert differences(w) == []


@pytest.mark.parametrize("ignore", [["$.message"], ["message"], ["$..message", "$.none"]])
def test_ignored(ignore, tape, replay):
    w = replay(tape, "--pace", "max", "--json", *(f"--ignore={i}" for i in ignore))
    one_chat(w, json.dumps(chat("whatever")))
    assert differences(w) == []


def test_exact(tape, replay):
    """Every byte counts, ids too."""
    w = replay(tape, "--pace", "max", "--json", "--match", "exact")
    one_chat(w, json.dumps(chat("hello")))
    found = differences(w)
    assert [o["path"] for o in found] == ["$.request_id", "$.sent_at", "$.token"]


@pytest.mark.parametrize("text", ["not JSON", "[]", json.dumps(ECHO)])
def test_any(text, tape, replay):
    w = replay(tape, "--pace", "max", "--json", "--match", "any")
    assert len(one_chat(w, text)) == 6
    assert differences(w) == []


def test_no_gates(tape, replay):
    """The backend talks, whatever the client does."""
    w = replay(tape, "--pace", "max", "--gate", "none")

    async def conversation(ws):
        return [json.loads(await ws.recv())["type"] for _ in range(7)]

    assert talk(w.url("/ws/test"), conversation) == [
        "connection_established", *KINDS, "pong"]


def test_an_extra_field_and_a_missing_one(tape, replay):
    w = replay(tape, "--pace", "max", "--json")
    said = {**chat("hello"), "mood": "good"}
    del said["sent_at"]
    one_chat(w, json.dumps(said))
    missing, extra = differences(w)
    assert missing["path"] == "$.sent_at" and "after" not in missing
    assert (extra["path"], extra["after"]) == ("$.mood", "good") and "before" not in extra
