"""`wstape replay` as people use it: with a command in CI, with faults, again and again, at
another pace, for HTTP."""

import http.client
import json
import os
import signal
import socket
import sys
import time
import xml.etree.ElementTree as ElementTree

import pytest
from websockets.exceptions import ConnectionClosed

from agent import Agent, python_client
from product import Product, chat, session, sessions
from rig import raw
from rig.faults import acts
from rig.process import BROKEN, run
from tapes import get, recorded
from test_cases import ERROR_1011, named, try_until_it_works
from test_replay_match import talk, until_done
from told import node_client

SUITE = '''
import asyncio, json, os, urllib.request
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.legacy.client import connect

async def talk(message):
    got = []
    async with connect(os.environ["WSTAPE_URL"] + "/ws/test", ping_interval=None) as ws:
        got.append(json.loads(await ws.recv())["type"])
        await ws.send(message)
        while got[-1] != "agent_completed":
            got.append(json.loads(await ws.recv())["type"])
    return got

def test_the_socket_breaks():
    with pytest.raises(ConnectionClosed) as caught:
        asyncio.run(talk(CHAT))
    assert (caught.value.code, caught.value.reason) == (1011, "Internal error")

def test_health():
    with urllib.request.urlopen(os.environ["WSTAPE_HTTP_URL"] + "/health") as answer:
        assert json.load(answer)["status"] == STATUS
'''


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    with Product() as product:
        return recorded(tmp_path_factory.mktemp("tape"), product.url, lambda w: (
            session(w.url("/ws/test"), ["hello"]), get(w.url("/health", "http"))))[0]


def is_closed(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


# ---- a CI step ----


@pytest.mark.parametrize("status", [0, 1])
def test_a_suite(status, tape, tmp_path):
    """pytest against the tape, with a fault: its status, a summary, nothing left."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(f"CHAT = {json.dumps(chat('hello'))!r}\n"
                     f"STATUS = {'ok' if status == 0 else 'well'!r}\n" + SUITE)
    port, pid = tmp_path / "port", tmp_path / "pid"
    pytest_it = f"{sys.executable} -m pytest -q -p no:cacheprovider {suite}"
    p = run("replay", tape, "-l", "ws://127.0.0.1:0", "--port-file", port, "--fault",
            "close=1011,reason=Internal error,message=5",
            "--", "sh", "-c", f"echo $$ >{pid}; exec {pytest_it}")
    assert p.returncode == status, (p.stdout, p.stderr)
    assert "2 passed" in p.stdout if status == 0 else "1 failed, 1 passed" in p.stdout
    said = [x.removeprefix("wstape: ") for x in p.stderr.splitlines()]
    assert "GET /ws/test (WebSocket): played 1 time, 1 on the tape" in said
    assert "GET /health: played 1 time, 1 on the tape" in said
    assert "no mismatch" in said, said
    assert not BROKEN.search(p.stderr) and "0x" not in p.stderr
    assert is_closed(int(port.read_text()))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("args,status", [((), 0), (("--on-mismatch", "fail"), 1)])
def test_status_with_a_command(args, status, tape):
    """A command that is content, and a mismatch."""
    code = ("import os, urllib.request, urllib.error\n"
            "try: urllib.request.urlopen(os.environ['WSTAPE_HTTP_URL'] + '/nope')\n"
            "except urllib.error.HTTPError as e: print(e.code)\n")
    p = run("replay", tape, "-l", "ws://127.0.0.1:0", *args, "--",
            sys.executable, "-c", code)
    assert (p.returncode, p.stdout) == (status, "404\n"), p.stderr
    assert "GET /nope is not on the tape" in p.stderr


def test_a_command_that_is_not_there(tape):
    p = run("replay", tape, "-l", "ws://127.0.0.1:0", "--", "/no/such/command")
    assert p.returncode not in (0, 1) and "/no/such/command" in p.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signals(how, tape, replay):
    """Clients are closed with 1001, the summary is said, 0 is the status."""
    w = replay(tape)

    async def conversation(ws):
        await ws.recv()
        w.process.send_signal(how)
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        return ws.close_code

    assert talk(w.url("/ws/test"), conversation) == 1001
    start = time.monotonic()
    assert w.wait() == 0 and time.monotonic() - start < 1.5
    assert "GET /ws/test (WebSocket): played 1 time, 1 on the tape" in w.told()
    assert any("the tape did not come" in x or "waits for message 1" in x for x in w.told())
    assert is_closed(w.port)


# ---- faults ----


@pytest.mark.parametrize("message", [1, 5])
def test_closed_with_1011(message, tape, replay):
    w = replay(tape, "--fault", f"close=1011,reason=Internal error,from=server,"
               f"message={message}", "--on-mismatch", "fail")
    said = json.dumps(chat("hello"))
    story = python_client(w.url("/ws/test"), [said])
    node = node_client(w.url("/ws/test"), say=[said])
    assert named(story.text) == ERROR_1011 and len(story.messages) == message - 1
    assert (node.code, node.reason) == (1011, "Internal error")
    w.stop(expect=0)


def test_a_field_is_dropped(tape, replay, tmp_path):
    w = replay(tape, "-o", tmp_path / "new.wstape", "--fault",
               "drop_field=tool_name,json.type=tool_executing")
    log = session(w.url("/ws/test"), ["hello"])
    w.stop()
    assert ["tool_name" in m for m in log.messages] == [
        False, False, False, False, True, False, False]
    assert log.messages[3]["type"] == "tool_executing"
    assert acts(tmp_path / "new.wstape") == [("server", 4, "drop_field")]


def test_status_503(tape, replay):
    w = replay(tape, "--fault", "status=503,connection=1..2")
    first = python_client(w.url("/ws/test"), count=1)
    second = node_client(w.url("/ws/test"), count=1)
    log = session(w.url("/ws/test"), ["hello"])
    assert "HTTP 503" in str(first.error) and second.status == 503
    assert len(log.texts) == 7


def test_reset(tape, replay):
    w = replay(tape, "--fault", "reset,connection=1")
    assert node_client(w.url("/ws/test"), count=1).errors[0][1] == "ECONNRESET"
    assert len(session(w.url("/ws/test"), ["hello"]).texts) == 7


def test_refused_for_a_time(tape, replay):
    """Then the tape answers."""
    start = time.monotonic()
    w = replay(tape, "--fault", "refuse,time=0s..500ms")
    errors, story = try_until_it_works(w.url("/ws/test"), 1)
    assert errors and all(isinstance(e, ConnectionRefusedError) for e in errors)
    assert len(story.messages) == 1 and time.monotonic() - start > 0.45


def test_latency(tape, replay):
    w = replay(tape, "--pace", "max", "--fault", "latency=150ms,from=server")
    start = time.monotonic()
    log = session(w.url("/ws/test"), ["hello"])
    # The handshake, the greeting's way is the same; chat, ping, pong, close.
    assert len(log.texts) == 7 and time.monotonic() - start > 5 * 0.15


def test_the_same_seed(replay, tmp_path):
    """The same messages are hit, in replay after replay."""
    with Agent() as agent:
        said = [f"message {n}" for n in range(30)]
        file, _ = recorded(tmp_path, agent.url, lambda w: python_client(
            w.url("/echo"), [*said, "over"], until="over"))

    def lossy(seed):
        w = replay(file, "--pace", "max", "--seed", seed, "--fault",
                   "drop,from=server,message=1..30,probability=0.4")
        return python_client(w.url("/echo"), [*said, "over"], until="over").messages

    first, again, other = lossy(7), lossy(7), lossy(8)
    assert first == again != other and 1 < len(first) < 31


# ---- which connection answers ----


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The tape of two sessions of one path, and how the backend called them."""
    with Product() as product:
        file, logs = recorded(tmp_path_factory.mktemp("two"), product.url, lambda w: [
            session(w.url("/ws/test"), ["hello"]) for _ in range(2)])
    return file, [name(log) for log in logs]


def name(log):
    return log.messages[0]["data"]["session"]


@pytest.mark.parametrize("mode,then", [((), [0, 1, 0, 1, 0]),
                                       (("--when-exhausted", "loop"), [0, 1, 0, 1, 0]),
                                       (("--when-exhausted", "last"), [0, 1, 1, 1, 1])])
def test_when_exhausted(mode, then, two, replay):
    file, names = two
    w = replay(file, "--pace", "max", *mode)
    got = [name(session(w.url("/ws/test"), ["hello"])) for _ in then]
    assert got == [names[i] for i in then]
    w.stop()
    assert "GET /ws/test (WebSocket): played 5 times, 2 on the tape" in w.told()


def test_refused_when_exhausted(two, replay):
    file, names = two
    w = replay(file, "--pace", "max", "--when-exhausted", "refuse")
    logs = sessions([w.url("/ws/test")] * 2, ["hello"])
    assert sorted(map(name, logs)) == sorted(names)
    node = node_client(w.url("/ws/test"), count=1)
    assert node.status == 503 and "were given" in json.loads(node.body)["error"]
    assert w.tells("/ws/test was played as often as the tape has it").startswith(
        "connection 3: ")


def test_values_that_differ_between_sessions(replay, tmp_path):
    """An order's id that was another in the second session may be another in the third."""
    def say(nick):
        async def conversation(ws):
            await ws.recv()
            await ws.send(json.dumps({**chat("hello"), "order": nick}))
            return await until_done(ws)

        return conversation

    with Product() as product:
        file, _ = recorded(tmp_path, product.url, lambda w: [
            talk(w.url("/ws"), say(n)) for n in ("o-1001", "o-2002")])
    w = replay(file, "--pace", "max", "--on-mismatch", "fail", "-v")
    talk(w.url("/ws"), say("o-3003"))
    w.stop()
    assert any("$.order" in x and "differs between sessions" in x for x in w.told())


# ---- pace ----


@pytest.mark.parametrize("pace,low,high", [("1", 0.39, 2), ("10", 0.039, 0.35),
                                           ("0.5", 0.79, 3), ("max", 0, 0.35)])
def test_pace(pace, low, high, slow, replay):
    """The backend took 400 ms for its last event."""
    w = replay(slow, "--pace", pace)
    took = {}

    async def conversation(ws):
        await ws.recv()
        await ws.send(json.dumps(chat("hello")))
        while True:
            came = json.loads(await ws.recv())["type"]
            took[came] = time.monotonic()
            if came == "agent_completed":
                return

    talk(w.url("/ws"), conversation)
    assert low <= took["agent_completed"] - took["tool_completed"] < high


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    with Product(pause=0.4) as product:
        return recorded(tmp_path_factory.mktemp("slow"), product.url,
                        lambda w: session(w.url("/ws"), ["hello"]))[0]


# ---- pings ----


@pytest.mark.parametrize("backend", ["with pings", "without"])
def test_pings(backend, replay, tmp_path):
    """The live client's pings are answered, and the recorded server's are sent."""
    options = {"ping_interval": 0.05} if backend == "with pings" else {}
    with Product(pause=0.4, **options) as product:
        file, _ = recorded(tmp_path, product.url,
                           lambda w: session(w.url("/ws"), ["hello"]))
    w = replay(file)
    node = node_client(w.url("/ws"), say=[json.dumps(chat("hello"))], count=6, alive=60)
    assert len(node.texts) == 6 and node.of("dead") == [] and "alive?" in node.of("pong")
    assert bool(node.of("ping")) == (backend == "with pings")


# ---- HTTP ----


def test_http_keep_alive(backends, proxy, replay):
    """Several requests on one connection, bodies too, in any order."""
    def ask(connection, method, target, body=None, **headers):
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    asked = [("GET", "/one"), ("POST", "/two", b"x" * 70000), ("GET", "/stream/5"),
             ("PUT", "/three?a=1", b'{"a":1}'), ("GET", "/one"), ("DELETE", "/one"),
             ("HEAD", "/one")]
    w = proxy(backends("node-ws"))
    connection = http.client.HTTPConnection("127.0.0.1", w.port, timeout=20)
    then = [ask(connection, *a) for a in asked]
    connection.close()
    w.stop()

    p = replay(w.tape, "--pace", "max")
    connection = http.client.HTTPConnection("127.0.0.1", p.port, timeout=20)
    assert [ask(connection, *a) for a in asked] == then
    sock = connection.sock
    assert [ask(connection, *a) for a in asked[::-1]] == then[::-1]
    assert connection.sock is sock, "it is kept alive"
    connection.close()
    assert then[1][2] and then[2][2].count(b"chunk") == 5
    p.stop()
    assert "POST /two: played 2 times, 1 on the tape" in p.told()


def test_large_and_unread(replay, backends, proxy):
    """A client that sends a body nobody asked for, then the next request."""
    w = proxy(backends("py-aiohttp"))
    get(w.url("/a", "http"))
    w.stop()
    p = replay(w.tape)
    end = raw.connect(p.port)
    end.send(b"POST /unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
             + b"y" * 300000 + b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
    head = end.read_head()
    assert head.startswith(b"HTTP/1.1 404 ")
    while b"HTTP/1.1 200" not in end.got:
        assert end.read_some(), (end.ended, bytes(end.got))
    end.close()


# ---- other tapes ----


def test_a_refused_handshake(replay, tmp_path):
    """403 without a key: again, and with what was said."""
    class Guarded(Product):
        async def _http(self, path, headers):
            if path.startswith("/ws") and "Authorization" not in headers:
                return (http.HTTPStatus(403), [("X-Why", "no key")],
                        b"E2E bypass key required")
            return await super()._http(path, headers)

    with Guarded() as product:
        file, _ = recorded(tmp_path, product.url, lambda w: (
            node_client(w.url("/ws")),
            session(w.url("/ws"), ["hello"], extra_headers={"Authorization": "Bearer 1"})))
    w = replay(file, "--pace", "max", "--on-mismatch", "fail")
    node = node_client(w.url("/ws"))
    assert (node.status, node.body) == (403, "E2E bypass key required")
    assert node.headers["x-why"] == "no key"
    assert len(session(w.url("/ws"), ["hello"]).texts) == 7


def test_a_tape_that_was_not_finished(record, replay):
    """Killed in the middle: it is played as far as it goes, and the connection stays."""
    async def conversation(ws):
        await ws.recv()
        await ws.send(json.dumps(chat("hello")))
        return [json.loads(await ws.recv())["type"] for _ in range(3)]

    async def cut_short(ws):
        got = await conversation(ws)
        w.kill()
        return got

    with Product() as product:
        w = record(product.url)
        assert len(talk(w.url("/ws"), cut_short)) == 3
    p = replay(w.tape, "--pace", "max")

    async def again(ws):
        got = await conversation(ws)
        await (await ws.ping())
        return got

    assert talk(p.url("/ws"), again) == ["agent_started", "agent_thinking", "tool_executing"]
    p.tells("was not finished: it is played as far as it goes")


def test_from_stdin(tape, tmp_path):
    with open(tape, "rb") as f:
        p = run("replay", "-", "-l", "ws://127.0.0.1:0", "--", "sh", "-c",
                "curl -sS $WSTAPE_HTTP_URL/health", stdin=f)
    assert p.returncode == 0 and json.loads(p.stdout)["status"] == "ok", p.stderr


def test_junit(tape, tmp_path):
    """Of the tape as the backend: a case a connection."""
    p = run("replay", tape, "-l", "ws://127.0.0.1:0", "--junit", tmp_path / "j.xml", "--",
            "sh", "-c", "curl -s $WSTAPE_HTTP_URL/health; curl -s $WSTAPE_HTTP_URL/nowhere")
    suite = ElementTree.parse(tmp_path / "j.xml").getroot().find("testsuite")
    failures = [c.find("failure") for c in suite.findall("testcase")]
    assert p.returncode == 0 and suite.get("failures") == "1"
    assert failures[0] is None and "GET /nowhere is not on the tape" in failures[1].text


# ---- that cannot be played ----


@pytest.mark.parametrize("what", ["missing", "empty", "noise", "folder"])
def test_no_tape(what, tmp_path):
    path = tmp_path / "t.wstape"
    if what == "folder":
        path.mkdir()
    elif what != "missing":
        path.write_bytes(b"" if what == "empty" else b"#!/bin/sh\necho hello\n")
    p = run("replay", path, "-l", "ws://127.0.0.1:0")
    assert p.returncode in (2, 3) and str(path) in p.stderr and not BROKEN.search(p.stderr)


@pytest.mark.parametrize("args", [("--pace", "fast"), ("--match", "most"),
                                  ("--copies", "0"), ("--gate", "all"),
                                  ("--ignore", "$.["), ("--when-exhausted", "stop"),
                                  ("--header", "no colon"),
                                  ("--to", "ws://127.0.0.1:1", "-l", "ws://127.0.0.1:0")])
def test_usage(args, tape):
    p = run("replay", tape, *args)
    assert p.returncode == 2 and p.stderr.startswith("wstape: "), (p.returncode, p.stderr)


def test_bad_rule(tape):
    p = run("replay", tape, "--fault", "drop_feild=a")
    assert p.returncode == 2 and "did you mean drop_field?" in p.stderr


def test_port_in_use(tape):
    with raw.Listener() as other:
        p = run("replay", tape, "-l", other.url())
    assert p.returncode == 3 and "in use" in p.stderr
