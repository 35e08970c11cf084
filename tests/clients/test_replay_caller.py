"""The tape as client: against the backend that it is of, and against others."""

import http
import json
import resource
import socket
import subprocess
import time
import uuid
import xml.etree.ElementTree as ElementTree

import pytest

from agent import Agent
from product import Product, chat, session
from rig import raw
from rig.process import BROKEN, binary, run
from tapes import get, recorded
from test_replay_match import talk

KINDS = ["connection_established", "agent_started", "agent_thinking", "tool_executing",
         "tool_completed", "agent_completed"]


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    """A chat of two messages, and a health check."""
    with Product() as product:
        return recorded(tmp_path_factory.mktemp("tape"), product.url, lambda w: (
            get(w.url("/health", "http")), session(w.url("/ws/test"), ["hello", "again"]),
            get(w.url("/health", "http"))))[0]


def play(tape, url, *args, status=0):
    """What the tape as client says of the backend there."""
    p = run("replay", tape, "--to", url, "--pace", "max", *args)
    assert p.returncode == status, (p.returncode, p.stdout, p.stderr)
    assert not BROKEN.search(p.stderr)
    return p


def objects(p, *records):
    found = [json.loads(line) for line in p.stdout.splitlines()]
    return [o for o in found if o["record"] in records] if records else found


def mismatches(tape, change, *args):
    """The mismatches with a backend that is changed so, as JSON and as lines."""
    with Product(change) as product:
        found = [o for o in objects(play(tape, product.url, "--json", *args, status=1))
                 if o.get("mismatch")]
        lines = play(tape, product.url, *args, status=1).stdout
    return found, lines


def on(kind, act):
    """A change of the events of that type."""
    def change(events):
        n = next(i for i, e in enumerate(events) if e["type"] == kind)
        act(events, n)
        return events

    return change


def test_the_same_backend(tape):
    """Ids and times are new; nothing is reported."""
    with Product() as product:
        p = play(tape, product.url, "--json")
        visit = product.ended("/ws/test")
        text = play(tape, product.url)
    assert [o for o in objects(p) if o.get("mismatch")] == []
    assert (visit.code, visit.reason) == (1000, "done")
    assert [json.loads(m)["type"] for m in visit.received] == [
        "chat_message", "chat_message", "ping"]
    assert "→" not in text.stdout and "missing" not in text.stdout


def test_at_the_recorded_pace(tape):
    with Product() as product:
        p = run("replay", tape, "--to", product.url)
    assert p.returncode == 0, (p.stdout, p.stderr)


def test_one_field(tape):
    def act(events, n):
        events[n]["results"][0]["score"] = 0.87

    found, lines = mismatches(tape, on("tool_completed", act))
    assert [(o["record"], o["message"], o["path"], o["before"], o["after"])
            for o in found] == [
        ("difference", m, "$.results[0].score", 0.91, 0.87) for m in (5, 10)]
    assert "message 5 $.results[0].score: 0.91 → 0.87" in lines


def test_a_missing_event(tape):
    found, lines = mismatches(tape, on("agent_thinking", lambda e, n: e.pop(n)))
    assert [(o["record"], o["message"], o["before"]["type"]) for o in found] == [
        ("missing", m, "agent_thinking") for m in (3, 8)]
    assert "message 3 missing: {" in lines and "message 8 missing: {" in lines


def test_an_extra_event(tape):
    extra = {"type": "tool_failed", "why": "no idea"}
    found, lines = mismatches(tape, on("tool_completed", lambda e, n: e.insert(n, extra)))
    assert [(o["record"], o["message"], o["after"]) for o in found] == [
        ("extra", m, extra) for m in (4, 9)]
    assert "extra message after message 4: {" in lines


def test_another_order(tape):
    def act(events, n):
        events[n], events[n + 1] = events[n + 1], events[n]

    found, lines = mismatches(tape, on("agent_thinking", act))
    assert [o["record"] for o in found] == ["order", "order"]
    assert {(o["message"], o["before_message"]) for o in found} in (
        {(4, 3), (9, 8)}, {(3, 4), (8, 9)})
    assert "came before message" in lines


def test_a_missing_key_and_a_new_one(tape):
    def act(events, n):
        del events[n]["tool_name"]
        events[n]["tool"] = "search"

    found, _ = mismatches(tape, on("tool_executing", act))
    assert [(o["message"], o["path"], "before" in o, "after" in o) for o in found] == [
        (4, "$.tool_name", True, False), (4, "$.tool", False, True),
        (9, "$.tool_name", True, False), (9, "$.tool", False, True)]


def test_ignored(tape):
    def act(events, n):
        events[n]["results"][0]["score"] = 0.87

    with Product(on("tool_completed", act)) as product:
        play(tape, product.url, "--ignore", "$.results[*].score")
        play(tape, product.url, "--match", "any")
        p = play(tape, product.url, "--match", "exact", "--json", status=1)
    paths = {o.get("path") for o in objects(p) if o.get("mismatch")}
    assert {"$.timestamp", "$.data.session", "$.results[0].score"} <= paths


@pytest.mark.parametrize("good", [True, False])
def test_junit(good, tape, tmp_path):
    def act(events, n):
        events[n]["duration"] = "0.5 < & \u0007"

    file = tmp_path / "out.xml"
    with Product(on("tool_completed", (lambda e, n: None) if good else act)) as product:
        play(tape, product.url, "--junit", file, status=0 if good else 1)
    suite = ElementTree.parse(file).getroot()
    suite = suite if suite.tag == "testsuite" else suite.find("testsuite")
    cases = suite.findall("testcase")
    assert len(cases) == 3 and int(suite.get("tests")) == 3
    failures = [c.findall("failure") for c in cases]
    assert [len(f) > 0 for f in failures] == [False, not good, False]
    assert int(suite.get("failures")) == (0 if good else 1)
    if not good:
        text = "".join(f.get("message") + (f.text or "") for f in failures[1])
        assert "$.duration: 0.5 → " in text


def test_health_changed(tape):
    """HTTP is compared as well."""
    class Sick(Product):
        async def _http(self, path, headers):
            found = await super()._http(path, headers)
            if path == "/health":
                return http.HTTPStatus(503), [], b'{"status": "sick", "time": 1}'
            return found

    with Sick() as product:
        found = [o for o in objects(play(tape, product.url, "--json", status=1))
                 if o.get("mismatch")]
    assert [(o["record"], o["target"], o["before"], o["after"]) for o in found] == [
        ("status", "GET /health", 200, 503)] * 2


def test_header(tape):
    with Product() as product:
        play(tape, product.url, "--header", "Authorization: Bearer new",
             "--header", "User-Agent: tape")
        headers = product.ended("/ws/test").headers
    assert headers["Authorization"] == "Bearer new"
    assert headers.get_all("User-Agent") == ["tape"]


class Guarded(Product):
    """Lets in whoever brings the token of the day."""
    token = "old"

    async def _http(self, path, headers):
        if path.startswith("/ws") and not path.endswith(f"?token={self.token}"):
            return http.HTTPStatus.FORBIDDEN, [], b"no such token"
        return await super()._http(path, headers)


@pytest.fixture
def guarded(tmp_path):
    """The tape of a session with a token, and the backend, which wants another now."""
    with Guarded() as product:
        file, _ = recorded(tmp_path, product.url, lambda w: (
            get(w.url("/health", "http")), session(w.url("/ws/test?token=old"), ["hi"])))
        product.token = "new"
        yield file, product


GREETED = ("--ignore", "$.data.path")  # the greeting says how it was called


@pytest.mark.parametrize("rest", ["?token=new", "/?token=new", "/ws/test?token=new"])
def test_a_query_of_ones_own(rest, guarded):
    """A recorded token is of no use; the one in --to is."""
    file, product = guarded
    refused = play(file, product.url, status=1)
    assert "status 101 → 403" in refused.stdout
    p = play(file, product.url + rest, *GREETED)
    assert "on the tape" not in p.stderr and "token" not in p.stdout
    assert product.ended("/ws/test?token=new").code == 1000


def test_a_path_of_ones_own(tape):
    """HTTP requests keep theirs."""
    with Product() as product:
        p = play(tape, product.url + "/ws/v2", *GREETED)
        assert product.ended("/ws/v2").code == 1000
    assert "wstape: WebSockets go to /ws/v2 (on the tape: /ws/test)" in p.stderr


def test_a_path_for_several(tmp_path):
    """Which one is meant nobody knows; a query is for all of them."""
    with Guarded() as product:
        file, _ = recorded(tmp_path, product.url, lambda w: [
            session(w.url(f"/ws/{n}?token=old"), ["hi"]) for n in "ab"])
        product.token = "new"
        p = play(file, product.url + "/ws/c?token=new", *GREETED)
        assert {v.path for v in product.visits[2:]} == {
            "/ws/a?token=new", "/ws/b?token=new"}
    assert "several paths, which are kept: the path in --to is not sent" in p.stderr


def test_server_ids_are_said_back(tmp_path):
    """A session id that the server handed out is what the tape then says."""
    class Sessions(Agent):
        async def greet(self, ws):
            ws.session = str(uuid.uuid4())
            await ws.send(json.dumps({"type": "hello", "session": ws.session}))

        async def answer(self, ws, message):
            said = json.loads(message)
            known = said["session"] == ws.session and ws.session in said["text"]
            await ws.send(json.dumps({"type": "known" if known else "stranger"}))

    async def say(ws):
        hello = json.loads(await ws.recv())
        await ws.send(json.dumps({"type": "who", "session": hello["session"],
                                  "text": f"I am {hello['session']}!"}))
        return json.loads(await ws.recv())

    with Sessions() as server:
        file, told = recorded(tmp_path, server.url, lambda w: talk(w.url("/"), say))
        assert told == {"type": "known"}
        play(file, server.url)
        found = objects(play(file, server.url, "--substitute", "none", "--json",
                             "--timeout", "300ms", status=1))
    assert [o["record"] for o in found if o.get("mismatch")] in (
        ["missing", "extra"], ["difference"], ["extra", "missing"])


def test_other_compression(tmp_path):
    """Recorded with permessage-deflate, played to a backend without, and the other way."""
    for then, now in (("deflate", None), (None, "deflate")):
        with Product(compression=then) as product:
            file, _ = recorded(tmp_path / str(then), product.url, lambda w: session(
                w.url("/ws"), ["hello"], compression="deflate"))
        with Product(compression=now) as product:
            p = run("replay", file, "--to", product.url, "--pace", "max", "--json")
            assert json.loads(product.ended("/ws").received[0])["message"] == "hello"
        found = [o for o in objects(p) if o.get("mismatch")]
        assert all(o["record"] == "field" for o in found), (found, p.stderr)


def test_tls(tape, pki):
    with Product(ssl=pki.serving(pki.good)) as product:
        play(tape, product.url, "--upstream-ca", pki.ca_file)
        p = play(tape, product.url, status=3)
    assert "certificate" in p.stderr


def test_silent_backend(tmp_path):
    """The run comes to its end, and the report is clear."""
    with Product() as product:
        file, _ = recorded(tmp_path, product.url, lambda w: get(w.url("/health", "http")))
    start = time.monotonic()
    with raw.Listener() as silent:
        p = play(file, silent.url(), "--timeout", "300ms", status=1)
    assert time.monotonic() - start < 10
    first, *summary = p.stdout.splitlines()
    assert first.startswith("request 1 GET /health: the answer did not come within 3")
    assert summary == ["0 messages compared, none differs", "1 difference"]


def test_nobody_there(tape):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    p = run("replay", tape, "--to", f"ws://127.0.0.1:{port}")
    assert p.returncode == 3, (p.returncode, p.stdout, p.stderr)
    assert "refused" in (p.stderr + p.stdout).lower()


def test_backend_that_dies(tape):
    """No close frame from the backend: the end differs, and it says so."""
    class Dying(Product):
        async def answer(self, ws, message):
            if '"ping"' in message:
                ws.transport.abort()
                return
            await super().answer(ws, message)

    with Dying() as product:
        p = play(tape, product.url, "--json", status=1)
    found = [o for o in objects(p) if o.get("mismatch")]
    assert {o["record"] for o in found} <= {"missing", "end", "early", "broken"}
    assert any(o["record"] in ("end", "early") for o in found), found


@pytest.mark.parametrize("copies", [1, 3])
def test_the_new_tape_cannot_be_written(copies, tmp_path):
    """The play stops there; what did not come is nothing that the backend left out."""
    def full():
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    with Product() as product:
        file, _ = recorded(tmp_path, product.url, lambda w: session(
            w.url("/ws/test"), ["hello"] * 40))
        p = run("replay", file, "--to", product.url, "--pace", "max", "--json",
                "--copies", copies, "-o", tmp_path / "new.wstape", preexec_fn=full)
    assert p.returncode == 3, (p.stdout, p.stderr)
    assert "the tape cannot be written (File too large)" in p.stderr
    assert not BROKEN.search(p.stderr)
    assert [o for o in objects(p) if o.get("mismatch")] == []
    assert sorted(o.get("copy", 1) for o in objects(p, "waits")) == list(
        range(1, copies + 1))
    summary, = objects(p, "summary")
    assert summary["unfinished"] and 0 < summary["messages"] < copies * 202


SHAPED = {"balance": 1700000000, "ms": 1700000000000, "birthday": "2001-02-03",
          "at": "2024-01-02T03:04:05Z", "key": "6f1e7a34-0b1c-4f8e-9b1d-0123456789ab",
          "text": "6f1e7a34-0b1c-4f8e-9b1d-0123456789ab since 2024-01-02T03:04:05Z"}
SHAPED_ALIKE = {"balance": 1999999999, "ms": 1999999999999, "birthday": "1999-12-31",
                "at": "2031-12-31T23:59:59Z", "key": "00000000-1111-4f8e-9b1d-ffffffffffff",
                "text": "00000000-1111-4f8e-9b1d-ffffffffffff since 2031-12-31T23:59:59Z"}
SHAPED_OTHERWISE = {"balance": 41, "ms": "1700000000000", "birthday": None,
                    "at": "today", "key": "6f1e7a34", "text": "none"}


@pytest.mark.parametrize("match,now,told", [
    ("json", SHAPED_ALIKE, []), ("json", SHAPED_OTHERWISE, list(SHAPED)),
    ("exact", SHAPED_ALIKE, list(SHAPED))])
def test_what_looks_like_an_id_or_a_time(match, now, told, tmp_path):
    """Only its shape counts, but with --match exact."""
    class Account(Agent):
        says = SHAPED

        async def greet(self, ws):
            await ws.send(json.dumps(self.says))

    async def hear(ws):
        return await ws.recv()

    with Account() as account:
        file, _ = recorded(tmp_path, account.url, lambda w: talk(w.url("/"), hear))
        account.says = now
        p = play(file, account.url, "--json", "--match", match, status=1 if told else 0)
    assert [o["path"] for o in objects(p) if o.get("mismatch")] == [
        f"$.{key}" for key in told]


def test_copies(tape):
    with Product() as product:
        p = play(tape, product.url, "--copies", "20", "--json")
        assert len([v for v in product.visits if v.path == "/ws/test"]) == 20
        text = play(tape, product.url, "--copies", "3")
    assert [o for o in objects(p) if o.get("mismatch")] == []
    assert text.stdout.count("median") == text.stdout.count("p95") == 1, text.stdout
    assert "response times of 3 copies: median " in text.stdout


def test_against_a_replay_of_itself(tape, replay):
    """Both sides from one tape."""
    w = replay(tape, "--pace", "max", "--on-mismatch", "fail")
    play(tape, w.url(""))
    w.stop()


def test_faults_while_calling(tape):
    """Rules work here too: the tool event loses its tool, and that is found."""
    with Product() as product:
        p = play(tape, product.url, "--json", "--fault",
                 "drop_field=tool_name,json.type=tool_executing", status=1)
    assert [(o["path"], o["message"]) for o in objects(p) if o.get("mismatch")] == [
        ("$.tool_name", 4), ("$.tool_name", 9)]


def test_what_the_client_drew_is_sent_again(tape):
    """Its ids and times go out as they were recorded."""
    with Product() as product:
        play(tape, product.url)
        first = product.ended("/ws/test").received
        play(tape, product.url, "--header", "X-Again: 1")
        assert product.visits[-1].received == first
    assert set(json.loads(first[0])) == set(chat())


def test_interrupted(tape):
    """Ctrl-C while it waits for the backend."""
    with raw.Listener() as silent:
        p = subprocess.Popen([binary(), "replay", str(tape), "--to", silent.url()],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        silent.take().read_head()
        p.send_signal(2)
        out, err = p.communicate(timeout=20)
    assert p.returncode in (0, 1), (p.returncode, out, err)
    assert "connection 1" in out
