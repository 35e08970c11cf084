"""Actions on messages, in both directions, each met by clients and servers that were not
written here."""

import json

import pytest

from agent import Agent, python_client
from rig import frames, raw
from rig.faults import faults_of
from rig.wait import until
from told import NodeServer, node_client, start_node

ONE = '{"type":"a","n": 1.0,"deep":{"n":12345678901234567890}}'
TWO = '{"type":"b", "n":2e0 , "list":[{"x":1,"y":2},{"x":3}]}'
THREE = '{ "type" : "größe", "s":"\\u0022n\\u0022:1", "n":-0 }'
SAID = [ONE, TWO, THREE]
END = "that is all"

# What becomes of the three: of what is sent by either side.
RULES = {
    "drop,message=2": [ONE, THREE],
    "drop,message=every 2": [ONE, THREE],
    "duplicate,message=1": [ONE, *SAID],
    "duplicate=3,message=3": [*SAID, THREE, THREE, THREE],
    "reorder,message=1": [TWO, ONE, THREE],
    "reorder=2,message=1": [TWO, THREE, ONE],
    "drop_field=n,message=1..3": [
        '{"type":"a","deep":{"n":12345678901234567890}}',
        '{"type":"b", "list":[{"x":1,"y":2},{"x":3}]}',
        '{ "type" : "größe", "s":"\\u0022n\\u0022:1" }'],
    "drop_field=[$..n,$.list[*].x],message=1..2": [
        '{"type":"a","deep":{}}', '{"type":"b", "list":[{"y":2},{}]}', THREE],
    "set_field.n=null,set_field.deep.n=7,message=1": [
        '{"type":"a","n": null,"deep":{"n":7}}', TWO, THREE],
    "set_field.list[1].x=new,message=2": [
        ONE, TWO.replace('"x":3', '"x":"new"'), THREE],
    "set_field.extra=[1, 2],message=2": [ONE, TWO[:-1] + ',"extra":[1, 2]}', THREE],
    "rename_field.n=count,message=1..3": [
        ONE.replace('"n": 1', '"count": 1'), TWO.replace('"n"', '"count"'),
        THREE.replace('"n":-0', '"count":-0')],
    "replace=hello,message=2": [ONE, "hello", THREE],
    'replace.json={"b": [1, 2]},message=2': [ONE, '{"b": [1, 2]}', THREE],
    "replace.binary=AAEC/w==,message=2": [ONE, b"\0\1\2\xff", THREE],
    "insert=hello,message=2": [ONE, "hello", TWO, THREE],
    "insert=hello,where=after,message=2": [ONE, TWO, "hello", THREE],
    'insert.json={"a":1},message=1': ['{"a":1}', *SAID],
    "insert,binary=AAEC,message=1": [b"\0\1\2", *SAID],
    "truncate=9,message=1": [ONE[:9], TWO, THREE],
    "truncate=16,message=3": [ONE, TWO, '{ "type" : "grö'],
    "truncate=15,message=3": [ONE, TWO, '{ "type" : "gr'],
    "truncate=0,message=3": [ONE, TWO, ""],
    "fragment=5": SAID,
    "delay=50ms,message=2": SAID,
    "stall=50ms,message=2": SAID,
}


@pytest.fixture(scope="module")
def agent():
    with Agent() as one:
        yield one


@pytest.fixture(scope="module")
def node_server():
    one = NodeServer()
    yield one
    one.kill()


def on_end(rules, side):
    """The rule for a side, and never for the message that ends the test."""
    return f"{rules},from={side},text=^(?!{END})"


def in_order(told, key_of={"text": str, "binary": bytes}):
    """Messages of a Node story, texts and binaries, as they came."""
    texts, binaries = iter(told.texts), iter(told.binaries)
    return [next(texts) if "text" in line else next(binaries)
            for line in told.lines if "text" in line or "binary" in line]


@pytest.mark.parametrize("rule", RULES)
def test_from_server(rule, inject, agent):
    w = inject(agent.url, on_end(rule, "server"))
    expected = [*RULES[rule], END]
    story = python_client(w.url("/echo"), [*SAID, END], until=END)
    told = node_client(w.url("/echo"), say=[*SAID, END], count=len(expected))
    assert story.messages == expected
    assert in_order(told) == expected


@pytest.mark.parametrize("rule", RULES)
def test_from_client(rule, inject, agent, node_server):
    expected = [*RULES[rule], END]
    w = inject(agent.url, on_end(rule, "client"))
    path = f"/echo/{list(RULES).index(rule)}"
    story = python_client(w.url(path), [*SAID, END], until=END)
    assert agent.ended(path).received == expected
    assert story.messages == expected
    agent.visits.clear()

    w = inject(node_server.url, on_end(rule, "client"))
    told = node_client(w.url(path), say=[*SAID, END], count=len(expected))
    assert in_order(node_server.story(path)) == expected
    assert in_order(told) == expected
    node_server.lines.clear()


@pytest.mark.parametrize("size", [1, 5, 200, 70000])
def test_files(size, inject, agent, tmp_path):
    """replace and insert from a file: found next to the rule file."""
    text = json.dumps({"from": "a file", "padding": "ü" * size}, ensure_ascii=False)
    (tmp_path / "payload.json").write_text(text, encoding="utf-8")
    w = inject(agent.url, "faults:\n"
               "  - when: {from: server, message: 1}\n    replace: {file: payload.json}\n"
               "  - when: {from: server, message: 3}\n    insert: {file: payload.json}\n")
    by_line = inject(agent.url, f"replace,file={tmp_path}/payload.json,from=server")
    assert python_client(w.url("/echo"), SAID, 4).messages == [text, TWO, text, THREE]
    assert python_client(by_line.url("/echo"), [ONE], 1).messages == [text]


@pytest.mark.parametrize("side", ["client", "server"])
def test_corrupt(side, inject, agent):
    """So many characters are others; text stays text. Once more with a binary message."""
    w = inject(agent.url, f"corrupt=3,from={side},size=10..", args=("--seed", 5))
    binary = bytes(range(256)) * 4
    story = python_client(w.url("/echo"), [ONE, binary, "end"], 3)
    told = node_client(w.url("/echo"), say=[ONE], count=1)
    text, other, _ = story.messages
    for old, new in ((ONE, text), (binary, other), (ONE, told.texts[0])):
        assert len(old) == len(new)
        assert 1 <= sum(a != b for a, b in zip(old, new)) <= 3
    assert told.texts[0] != text, "another connection, other chance"


@pytest.mark.parametrize("side", ["client", "server"])
def test_binary_messages(side, inject, agent):
    w = inject(agent.url, f"truncate=3,from={side},message=1",
               f"drop,from={side},opcode=binary,message=2",
               f"duplicate,from={side},message=3")
    story = python_client(w.url("/echo"), [b"abcdef", b"gone", b"\0\1", "end"],
                          until="end")
    assert story.messages == [b"abc", b"\0\1", b"\0\1", "end"]


# ---- when ----


def test_delay(inject, agent):
    """What follows waits behind it; pings and pongs do not."""
    w = inject(agent.url, "delay=800ms,from=server,message=2")
    story = python_client(w.url("/echo"), SAID, 3)
    told = node_client(w.url("/echo"), say=SAID, count=3, alive=150)
    assert story.messages == SAID and told.texts == SAID
    for opened, times in ((story.opened, story.times), (0, told.times)):
        assert times[1] - opened >= 0.79 and times[1] - times[0] > 0.5
    pongs = [line["time"] for line in told.lines if "pong" in line]
    assert any(told.times[0] < at < told.times[1] for at in pongs)
    assert not told.of("dead")


def test_delayed_to_the_server(inject, agent):
    w = inject(agent.url, "delay=500ms,from=client,message=2")
    story = python_client(w.url("/echo/late"), SAID, 3)
    visit = agent.ended("/echo/late")
    assert story.messages == visit.received == SAID
    assert visit.times[1] - visit.times[0] > 0.3


def test_stall_for_a_time(inject, agent):
    """All is given back, and pongs that waited too."""
    w = inject(agent.url, "stall=800ms,from=server,message=2")
    story = python_client(w.url("/echo"), SAID, 3)
    told = node_client(w.url("/echo"), say=SAID, count=3)
    assert story.messages == SAID and told.texts == SAID
    assert story.times[1] - story.times[0] > 0.6
    assert story.times[1] - story.opened >= 0.79


def test_stall_for_good_the_other_direction_works(inject, agent):
    w = inject(agent.url, "stall,from=server,message=1")
    told = start_node(w.url("/echo/stalled"), say=["a"], alive=60000)
    visit = agent.visit("/echo/stalled")
    agent.wait(lambda: visit.received == ["a"])
    until(lambda: faults_of(w.tape), w.tape, 20, "the fault on the tape")
    assert not [line for line in told.lines if "text" in line]
    w.stop()  # gives everything back, then closes with 1001
    told.wait_for(text="a")
    assert told.wait_for(close=1001)
    told.kill()


# ---- ends ----


def test_close_to_the_server(inject, agent, node_server):
    """To the one that would have got the message; the other is told to go."""
    rule = "close=4000,reason=bye für immer,from=client,message=2"
    w = inject(agent.url, rule)
    story = python_client(w.url("/echo/4000"), SAID)
    visit = agent.ended("/echo/4000")
    assert visit.received == [ONE]
    assert visit.text == ("received 4000 (private use) bye für immer; "
                          "then sent 4000 (private use) bye für immer")
    assert story.text == "received 1001 (going away); then sent 1001 (going away)"

    w = inject(node_server.url, rule)
    told = node_client(w.url("/4000"), say=SAID)
    there = node_server.story("/4000")
    assert (there.code, there.reason, there.texts) == (4000, "bye für immer", [ONE])
    assert (told.code, told.reason) == (1001, "")


@pytest.mark.parametrize("side", ["client", "server"])
def test_close_completes_the_handshake(side, inject, listener):
    """Both raw ends get one close frame, answer it, and then the FIN."""
    w = inject(listener.url(), f"close=1013,reason=try again,from={side},message=1")
    client, server = raw.upgrade(w.port, listener)
    at = {"client": len(client.got), "server": len(server.got)}
    ends = {"client": client, "server": server}
    other = "server" if side == "client" else "client"
    ends[side].send(frames.frame(frames.TEXT, b"x",
                                 mask=frames.MASK if side == "client" else None))
    for name, payload in ((other, b"\x03\xf5try again"), (side, b"\x03\xe9")):
        (first, mask, got), end = ends[name].read_frame(at[name])
        assert (first, got) == (0x88, payload)
        assert (mask is not None) == (name == "server")
        ends[name].send(frames.frame(frames.CLOSE, got, mask=frames.MASK
                                     if name == "client" else None))
        at[name] = end
    for name, end in ends.items():
        assert end.read_end() == "fin"
        assert len(end.got) == at[name], "nothing after the close frame"
        end.close()


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_abort(how, side, inject, agent):
    """No close frame for anybody."""
    w = inject(agent.url, f"abort={how},from={side},message=2")
    path = f"/echo/{how}/{side}"
    story = python_client(w.url(path), SAID, turns=True)
    told = node_client(w.url("/echo"), say=SAID)
    visit = agent.ended(path)
    assert story.messages == visit.received[:1] == [ONE]
    assert len(visit.received) == (1 if side == "client" else 2)
    assert story.code == told.code == visit.code == 1006
    assert story.text == visit.text == "no close frame received or sent"
    for cause in (story.cause, visit.cause):
        assert isinstance(cause, ConnectionResetError) == (how == "rst"), repr(cause)


@pytest.mark.parametrize("how, end", [("fin", "fin"), ("rst", "reset")])
def test_abort_on_the_wire(how, end, inject, listener):
    w = inject(listener.url(), f"abort={how},from=client,message=1")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got), len(server.got)
    client.send(frames.frame(frames.TEXT, b"x", mask=frames.MASK))
    assert client.read_end() == end and server.read_end() == end
    assert (len(client.got), len(server.got)) == at
    client.close()
    server.close()


def test_rules_that_cannot_apply(inject, agent):
    """They let it pass, and say why."""
    w = inject(agent.url, "drop_field=n,from=server,name=cut",
               "truncate=500,from=server,name=short",
               "violate=utf8,from=server,message=4,name=no")
    said = [ONE, "no JSON", '{"m":1}', b"\xff"]
    story = python_client(w.url("/echo"), said, 4)
    assert story.messages == ['{"type":"a","deep":{"n":12345678901234567890}}', *said[1:]]
    w.stop()
    failed = [(f.rule, f.message) for f in faults_of(w.tape, applied=0, side="server")]
    assert [m for rule, m in failed if rule == "cut"] == [2, 3, 4]
    assert [m for rule, m in failed if rule == "short"] == [1, 2, 3, 4]
    assert [m for rule, m in failed if rule == "no"] == [4]
    assert all(f.text for f in faults_of(w.tape, applied=0))
