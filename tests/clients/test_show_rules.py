"""What `wstape show` says went out is what a real client and a real backend got."""

import os

import pytest

from agent import CHAT, GREETING, RUN, Agent, python_client
from rig.process import run

RULES = [
    "close=1011,reason=Internal error,name=breaks,from=server,text=^end$",
    "drop_field=tool_name,name=no tool,from=server,json.type=tool_executing",
    "drop,name=lost,from=server,probability=0.2",
    "duplicate,name=twice,from=server,probability=0.2",
    "fragment=5,name=pieces,from=server,probability=0.2",
    "replace=other words,name=replaced,from=client,message=3",
    "drop_field=missing,name=fails,from=client,message=1",
]
SAID = ["one", CHAT, "three", *[f"n {n}" for n in range(60)], "end"]


@pytest.fixture(params=["deflate", None])
def session(request, inject):
    """A session with all of that: the tape's Wstape, what both sides got, their end."""
    with Agent(compression=request.param) as agent:
        w = inject(agent.url, *RULES, args=("--seed", "11"))
        story = python_client(w.url("/ws"), SAID, compression=request.param)
        visit = agent.ended("/ws")
        w.stop()
        yield w, story, visit


def delivered(shown, side, other):
    """As docs/show.md has it."""
    return [o for o in shown.objects
            if (o["record"] == "message" and o["from"] == other and not o.get("altered"))
            or (o["record"] == "delivered" and o["to"] == side)]


def test_json_has_what_both_sides_got(session):
    w, story, visit = session
    shown = w.show()
    to_client = delivered(shown, "client", "server")
    to_server = delivered(shown, "server", "client")
    sent = [o["text"] for o in shown.all("message", **{"from": "server", "kind": "text"})]

    assert [o["text"] for o in to_client if o["kind"] == "text"] == story.messages
    assert [o["text"] for o in to_server if o["kind"] == "text"] == visit.received
    assert sent != story.messages
    assert sent[0] == GREETING and all(event in sent for event in RUN)
    assert "other words" in visit.received and "three" not in visit.received
    for side, end in ((to_client, story), (to_server, visit)):
        closed = [(o["code"], o["reason"]) for o in side if o["kind"] == "close"]
        assert closed == [(end.code, end.reason)]
    assert (story.code, visit.code) == (1011, 1001)


def test_every_fault_is_counted(session):
    w, *_ = session
    shown = w.show()
    faults = shown.all("fault")
    rules = {o["rule"]: (o["applied"], o["failed"]) for o in shown.all("rule")}

    assert {f["rule"] for f in faults} == set(rules)
    for name, (applied, failed) in rules.items():
        acts = [f["applied"] for f in faults if f["rule"] == name]
        assert (acts.count(True), acts.count(False)) == (applied, failed)
    assert rules["fails"] == (0, 1) and rules["no tool"] == (1, 0)
    (fails,) = shown.all("fault", rule="fails")
    assert fails["text"] == "the message is not JSON"
    assert all(0 <= f["draw"] < 0.2 for f in faults if f["rule"] in ("lost", "twice"))
    assert shown.one("connection")["faults"] == {
        "applied": sum(a for a, _ in rules.values()),
        "failed": sum(f for _, f in rules.values())}


def test_text_shows_it_in_place(session):
    w, *_ = session
    utf8 = dict(os.environ, LC_ALL="C.UTF-8")
    lines = run("show", w.tape, env=utf8).stdout.splitlines()
    hit = next(n for n, line in enumerate(lines)
               if "! drop_field" in line and "no tool" in line)

    assert "← text" in lines[hit - 1] and '"tool_name"' in lines[hit - 1]
    # The other rules may have hit it too.
    after = [line for line in lines[hit + 1:hit + 5] if "⇐" in line][0]
    assert "dropped" in after or '"tool_name"' not in after
    assert not any("recompressed" in line for line in lines)


def test_frames_show_all_that_was_sent(session):
    w, *_ = session
    frames = w.show("--frames").objects
    compressed = any(f.get("rsv") for f in frames if f["record"] == "frame")
    causes = {f["cause"] for f in frames if f["record"] == "delivered"}

    assert ("recompressed" in causes) == compressed
    assert not any(f.get("altered") for f in frames)
