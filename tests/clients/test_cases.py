"""The failures that people met, each made by one short command, and the error that a
client in Python or Node then tells them."""

import asyncio
import errno
import subprocess
import time

import pytest

from agent import (CHAT, COMPLETED, DONE, EXECUTING, GREETING, RUN, STARTED, THINKING,
                   Agent, python_client, python_clients)
from rig.faults import acts, faults_of
from told import node_client, start_node

ALL = [GREETING, *RUN]
END = "that is all"
ALIVE = {"ping_interval": 0.2, "ping_timeout": 0.3, "close_timeout": 0.3}
LOST = "sent 1011 (internal error) keepalive ping timeout; no close frame received"
NAMELESS = EXECUTING.replace('"tool_name":"search",', "")
ERROR_1011 = ("received 1011 (internal error) Internal error; "
              "then sent 1011 (internal error) Internal error")
OLD_NAME = "unexpected error"  # what `websockets` before 11 calls 1011


@pytest.fixture(scope="module")
def agent():
    with Agent() as one:
        yield one


def named(text):
    """What newer versions of the library say."""
    return text and text.replace(f"({OLD_NAME})", "(internal error)")


def try_until_it_works(url, count, within=20):
    """What a client does that tries again and again: errors, and the first good story."""
    errors, end = [], time.monotonic() + within
    while time.monotonic() < end:
        story = python_client(url, count=count)
        if story.error is None and story.text is None:
            return errors, story
        errors.append(story.error or story.text)
        time.sleep(0.05)
    raise AssertionError(errors[-3:])


# ---- 1: nothing listens ----


def test_refused_then_recovered(inject, agent):
    start = time.monotonic()
    w = inject(agent.url, "refuse,time=0s..2s")
    first = node_client(w.url("/ws"), count=1)
    errors, story = try_until_it_works(w.url("/ws"), 1)

    assert first.errors and first.errors[0][1] == "ECONNREFUSED"
    assert errors and all(isinstance(e, ConnectionRefusedError) for e in errors)
    assert {e.errno for e in errors} == {errno.ECONNREFUSED}
    assert time.monotonic() - start >= 1.9
    assert story.messages == [GREETING]
    w.stop()
    (fault,) = faults_of(w.tape)
    assert (fault.action, fault.connection) == ("refuse", 0)


def test_refused_in_the_middle(inject, agent):
    """It works, then nothing listens for a while, then it works again. What is open stays
    open."""
    w = inject(agent.url, "refuse,time=1s..2s")
    kept = start_node(w.url("/echo/kept"), say=["a"], alive=100)
    kept.wait_for(text="a")
    end = time.monotonic() + 20
    story = python_client(w.url("/ws"), count=1)
    assert story.messages == [GREETING]
    while not isinstance(story.error, ConnectionRefusedError) and time.monotonic() < end:
        story = python_client(w.url("/ws"), count=1)
    assert isinstance(story.error, ConnectionRefusedError)
    assert try_until_it_works(w.url("/ws"), 1)[1].messages == [GREETING]
    assert not [line for line in kept.lines if "dead" in line or "close" in line]
    kept.kill()


def test_the_first_attempts_fail(inject, agent):
    w = inject(agent.url, "reset,connection=1..2")
    first = python_client(w.url("/ws"), count=1)
    second = node_client(w.url("/ws"), count=1)
    third = python_client(w.url("/ws"), [CHAT], 6)

    causes = [first.error, first.error.__cause__]
    assert any(isinstance(e, ConnectionResetError) for e in causes), causes
    assert second.errors[0][1] == "ECONNRESET" and second.code == 1006
    assert third.messages == ALL


# ---- 3: 1011 ----


@pytest.mark.parametrize("message", [1, 4])
def test_closed_with_1011(message, inject, agent):
    w = inject(agent.url, f"close=1011,reason=Internal error,from=server,message={message}")
    path = f"/ws/1011/{message}"
    story = python_client(w.url(path), [CHAT])
    node = node_client(w.url("/ws"), say=[CHAT])

    assert named(story.text) == ERROR_1011
    assert story.messages == ALL[:message - 1]
    assert (node.code, node.reason) == (1011, "Internal error")
    assert node.texts == ALL[:message - 1] and node.errors == []
    visit = agent.ended(path)
    assert visit.text.startswith("received 1001 (going away)"), "it was closed in order"


# ---- 4: it hangs ----


def test_hangs_before_the_handshake(inject, agent):
    w = inject(agent.url, "hang")
    before = len(agent.visits)
    story = python_client(w.url("/ws"), count=1, open_timeout=0.5)
    node = node_client(w.url("/ws"), count=1, timeout=500)

    assert isinstance(story.error, (asyncio.TimeoutError, TimeoutError))
    assert node.errors[0][0] == "Opening handshake has timed out"
    assert len(agent.visits) == before


def test_open_and_silent(inject, agent):
    """It answers pings, but never says a word."""
    w = inject(agent.url, "drop,from=server")
    node = start_node(w.url("/ws/silent"), say=[CHAT], alive=100)
    node.wait_for(pong="alive?")
    visit = agent.visit("/ws/silent")
    agent.wait(lambda: CHAT in visit.received)
    node.wait_for(pong="alive?")
    assert [line for line in node.lines if "text" in line] == []
    node.kill()


def test_stalls_in_the_middle_of_a_message(inject, agent):
    """Half of a message comes, and then nothing any more, no pong either."""
    w = inject(agent.url, "stall,from=server,message=3")
    story = python_client(w.url("/ws"), [CHAT], **ALIVE)
    node = node_client(w.url("/ws"), say=[CHAT], alive=300)

    assert story.messages == ALL[:2] and named(story.text) == LOST
    assert node.texts == ALL[:2] and node.of("dead") and node.code == 1006


@pytest.mark.parametrize("rule", ["drop,from=client,opcode=ping",
                                  "drop,from=server,opcode=pong"])
def test_swallowed_pings_and_pongs(rule, inject, agent):
    w = inject(agent.url, rule)
    story = python_client(w.url("/ws"), [CHAT], **ALIVE)
    node = node_client(w.url("/ws"), say=[CHAT], alive=300)

    assert story.messages == ALL, "messages pass"
    assert named(story.text) == LOST
    assert node.texts == ALL and node.of("dead") and node.of("pong") == []


# ---- 5: a key is missing ----


def test_a_field_is_missing(inject, agent):
    w = inject(agent.url, "drop_field=tool_name,json.type=tool_executing",
               "drop_field=results,json.type=tool_completed")
    story = python_client(w.url("/ws"), [CHAT], 6)
    node = node_client(w.url("/ws"), say=[CHAT], count=6)

    completed = COMPLETED.replace('"results":[1, 2 ,3],', "")
    assert len(NAMELESS) < len(EXECUTING) and len(completed) < len(COMPLETED)
    expected = [GREETING, STARTED, THINKING, NAMELESS, completed, DONE]
    assert story.messages == expected and node.texts == expected


# ---- 6: the wrong events ----


WRONG = '{"type":"connection_established"}'
ORDERS = {
    "drop,from=server,json.type=agent_started": [GREETING, THINKING, EXECUTING, COMPLETED,
                                                 DONE],
    "duplicate,from=server,message=2": [GREETING, STARTED, *RUN],
    "reorder,from=server,json.type=agent_started": [GREETING, THINKING, STARTED, EXECUTING,
                                                    COMPLETED, DONE],
    "reorder=3,from=server,message=2": [GREETING, THINKING, EXECUTING, COMPLETED, STARTED,
                                        DONE],
    f"replace={WRONG},from=server,message=2": [GREETING, WRONG, *RUN[1:]],
    f"insert={WRONG},from=server,message=2": [GREETING, WRONG, *RUN],
    "set_field.type=nonsense,from=server,message=2": [
        GREETING, STARTED.replace("agent_started", "nonsense"), *RUN[1:]],
}


@pytest.mark.parametrize("rule", ORDERS)
def test_wrong_events(rule, inject, agent):
    w = inject(agent.url, rule)
    expected = ORDERS[rule]
    story = python_client(w.url("/ws"), [CHAT], len(expected))
    node = node_client(w.url("/ws"), say=[CHAT], count=len(expected))
    assert story.messages == expected and node.texts == expected


def test_an_event_is_late(inject, agent):
    """So are those behind it: nothing overtakes."""
    w = inject(agent.url, "delay=700ms,from=server,json.type=tool_executing")
    story = python_client(w.url("/ws"), [CHAT], 6)
    assert story.messages == ALL
    assert story.times[2] < story.times[3] - 0.5
    assert story.times[3] - story.opened >= 0.69


# ---- 8: answered with a status ----


def test_status_instead_of_a_socket(inject, agent):
    w = inject(agent.url, 'status=403,body=E2E bypass key required,path=/ws*',
               "faults:\n  - when: {path: /api/agents*}\n"
               "    status: {code: 404, headers: {X-Reason: gone, Retry-After: 1},\n"
               '             body: "no such agent"}\n')
    story = python_client(w.url("/ws/test"), count=1)
    node = node_client(w.url("/ws/test"), count=1)
    curl = subprocess.run(
        ["curl", "-sS", "-i", "--max-time", "20", w.url("/api/agents/7", "http")],
        capture_output=True, text=True)
    passed = python_client(w.url("/other"), count=1)

    assert type(story.error).__name__ == "InvalidStatusCode"
    assert "HTTP 403" in str(story.error)
    assert (node.status, node.body) == (403, "E2E bypass key required")
    head, _, body = curl.stdout.partition("\n\n")
    assert curl.returncode == 0 and body == "no such agent"
    assert head.startswith("HTTP/1.1 404 Not Found")
    assert "X-Reason: gone" in head and "Retry-After: 1" in head
    assert passed.messages == [GREETING]


@pytest.mark.parametrize("limit", ["connection=1..2", "times=2"])
def test_status_for_the_first(limit, inject, agent):
    w = inject(agent.url, f"status=503,{limit}")
    got = [python_client(w.url("/ws"), count=1) for _ in range(4)]
    assert ["HTTP 503" in str(s.error) for s in got] == [True, True, False, False]
    assert got[2].messages == got[3].messages == [GREETING]


# ---- 9: several at once ----


def test_each_socket_has_its_own_faults(inject, agent):
    w = inject(agent.url, "close=1011,reason=Internal error,path=/ws/1?,message=4",
               "drop_field=tool_name,json.type=tool_executing,path=/ws/2?",
               "drop,from=server,message=[2, 4..5],path=/ws/3?",
               "duplicate,path=/ws/4?,message=6,from=server")
    expected = {"1": ALL[:3],
                "2": [*ALL[:3], NAMELESS, *ALL[4:], END],
                "3": [GREETING, THINKING, DONE, END], "4": [*ALL, DONE, END],
                "5": [*ALL, END]}
    paths = [f"/ws/{group}{n}" for n in range(6) for group in expected]
    stories = python_clients([w.url(p) for p in paths], [CHAT, END], until=END)
    for path, story in zip(paths, stories):
        assert story.messages == expected[path[4]], path
        assert named(story.text) == (ERROR_1011 if path[4] == "1" else None), path
    w.stop()
    shown = w.show()
    for path in paths:
        found = acts(w.tape, connection=shown.connection(path))
        assert len(found) == {"1": 1, "2": 1, "3": 3, "4": 1, "5": 0}[path[4]], path


# ---- 10: the same at every run ----


SAID = [f"message {n}" for n in range(1, 41)]


def run_seeded(inject, agent, seed):
    w = inject(agent.url, "drop,from=server,message=1..40,probability=0.4,name=lossy",
               args=("--seed", seed))
    story = python_client(w.url("/echo"), [*SAID, END], until=END)
    w.stop()
    return story.messages, [f.message for f in faults_of(w.tape, rule="lossy")]


def test_the_same_seed_gives_the_same_faults(inject, agent):
    first, dropped = run_seeded(inject, agent, 7)
    again, dropped_again = run_seeded(inject, agent, 7)
    other, dropped_other = run_seeded(inject, agent, 8)

    assert first == again and dropped == dropped_again
    assert other != first and dropped_other != dropped
    assert 0 < len(dropped) < 40
    assert first == [m for n, m in enumerate(SAID, 1) if n not in dropped] + [END]
