"""Every condition, and what limits a rule, with clients that were not written here."""

import asyncio
import time

import pytest
from websockets.legacy.client import connect

from agent import Agent, python_client, python_clients
from rig.faults import faults_of
from told import node_client, start_node

SAID = ['{"type":"tool_executing","id":7,'
        '"data":{"list":[{"k":"v1"},{"k":"v2"}],"ok":true}}',
        '{"type":"tool_completed","id":7.0,"data":null,"text":"a, b"}',
        'not JSON: {"type":"tool_executing"}',
        '{"type":"\\u0074ool_executing","id":"7","data":{"list":[]}}',
        "x" * 300,
        '{"type":"agent_done","id":1e400,"weird key":"[1]","data":{"ok":"true"}}']
END = "that is all"

# Which of the six messages a condition holds for.
MESSAGES = {
    "message=3": [3],
    "message=2..4": [2, 3, 4],
    "message=5..": [5, 6, 7],
    "message=every 2": [2, 4, 6],
    "message=[1,3..4,6]": [1, 3, 4, 6],
    "opcode=text": [1, 2, 3, 4, 5, 6, 7],
    "opcode=binary": [],
    "opcode=[text,ping]": [1, 2, 3, 4, 5, 6, 7],
    "json.type=tool_executing": [1, 4],
    "json.type=tool_*": [1, 2, 4],
    "json.type=tool_?????????": [1, 2, 4],
    "json.type=[at]*": [1, 2, 4, 6],
    "json.type=[!a]*": [1, 2, 4],
    "json.id=7": [1, 2],
    'json.id="7"': [4],
    "json.id=10e399": [6],
    "json.type=tool_*,json.id=7": [1, 2],
    "json.data=null": [2],
    "json.data=*": [1, 2, 4, 6],
    "json.data.ok=true": [1],
    'json.data.ok="true"': [6],
    "json.$.data.list[1].k=v2": [1],
    "json.$.data.list[*].k=v*": [1],
    "json.$..k=v2": [1],
    "json.['weird key']=*": [6],
    "json.nothing=*": [],
    "text=tool_executing": [1, 3],
    "text=^x{300}$": [5],
    "text=(?i)NOT json": [3],
    'text="a\\, b"': [2],
    "size=300": [5],
    "size=1..60": [2, 3, 4, 7],
    "size=65..": [1, 5, 6],
    "size=[300,11]": [5, 7],
    "message=4..,json.type=tool_executing": [4],
    "connection=1": [1, 2, 3, 4, 5, 6, 7],
    "connection=2..": [],
    "path=/echo/x": [1, 2, 3, 4, 5, 6, 7],
    "path=/*/x": [1, 2, 3, 4, 5, 6, 7],
    "path=/echo": [],
    "header.x-user=an*": [1, 2, 3, 4, 5, 6, 7],
    "header.X-User=Ann": [],
    "header.X-User=ann,header.X-None=*": [],
    "from=client": [],
    "times=2": [1, 2],
    "per_connection=3": [1, 2, 3],
    "times=1,json.type=tool_*,message=2..": [2],
    "probability=1": [1, 2, 3, 4, 5, 6, 7],
}


@pytest.fixture(scope="module")
def agent():
    with Agent() as one:
        yield one


@pytest.mark.parametrize("condition", MESSAGES)
def test_which_messages(condition, inject, agent):
    """As seen by who gets them: a mark follows each message that is hit."""
    side = "" if "from=" in condition else "from=server,"
    w = inject(agent.url, f"insert=HIT,where=after,{side}{condition}")
    sent, expected = [*SAID, END], []
    for n, message in enumerate(sent, 1):
        expected += [message, "HIT"] if n in MESSAGES[condition] else [message]
    count = None if condition == "from=client" else len(expected)
    if count is None:  # what the client says is doubled, and so is the echo
        expected = [m for one in sent for m in (one, "HIT")]
        count = len(expected)
    story = python_client(w.url("/echo/x"), sent, count, extra_headers={"X-User": "ann"})
    assert story.messages == expected
    w.stop()
    assert len(faults_of(w.tape)) == expected.count("HIT")


def test_connections(inject, agent):
    w = inject(agent.url, "replace=odd,from=server,connection=[1,3..4]",
               "replace=even,from=server,connection=every 2")
    got = [python_client(w.url("/echo"), ["x"], 1).messages for _ in range(6)]
    # On the fourth both act, one after the other.
    assert got == [["odd"], ["even"], ["odd"], ["even"], ["x"], ["even"]]


def test_paths(inject, agent):
    w = inject(agent.url, "replace=one,from=server,path=/echo/v1/*",
               "replace=query,from=server,path=/echo?token=*",
               "replace=set,from=server,path=/echo/[ab]/[!c]?")
    paths = {"/echo/v1/x": "one", "/echo/v1/x/y?z": "one", "/echo/v2/x": "x",
             "/echo?token=1": "query", "/echo": "x", "/echo/a/bc": "set",
             "/echo/a/cc": "x", "/echo/a/b": "x"}
    stories = python_clients([w.url(p) for p in paths], ["x"], 1)
    assert [s.messages for s in stories] == [[text] for text in paths.values()]
    told = node_client(w.url("/echo/v1/node"), say=["x"], count=1)
    assert told.texts == ["one"]


def test_headers(inject, agent):
    """Conditions on the request hold for handshakes as well as for messages."""
    w = inject(agent.url, "status=401,header.Authorization=Bearer old*",
               "replace=node,from=server,header.User-Agent=node*")
    refused = python_client(w.url("/echo"), ["x"], 1,
                            extra_headers={"authorization": "Bearer old-token"})
    passed = python_client(w.url("/echo"), ["x"], 1,
                           extra_headers={"Authorization": "Bearer new"})
    told = node_client(w.url("/echo"), say=["x"], count=1,
                       headers={"User-Agent": "node 20"})
    assert "HTTP 401" in str(refused.error)
    assert passed.messages == ["x"] and told.texts == ["node"]


@pytest.mark.parametrize("kind, side", [("ping", "client"), ("pong", "server")])
def test_control_frames(kind, side, inject, agent):
    """They are counted by themselves, and messages are not touched."""
    w = inject(agent.url, f"drop,opcode={kind},from={side},message=2")

    async def ping():
        async with connect(w.url("/echo"), ping_interval=None, compression=None) as ws:
            await ws.send("a")
            assert await ws.recv() == "a"
            pongs = [await ws.ping(str(n)) for n in range(3)]
            await asyncio.wait_for(pongs[0], 20)
            await asyncio.wait_for(pongs[2], 20)  # settles the second one too
            await ws.send("b")
            assert await ws.recv() == "b"

    asyncio.run(asyncio.wait_for(ping(), 40))
    w.stop()
    (fault,) = faults_of(w.tape)
    assert (fault.message, fault.side) == (2, side)
    assert fault.opcode == {"ping": 9, "pong": 10}[kind]


def test_close_frames(inject, agent):
    """A swallowed close: the server never hears of it, the client waits in vain."""
    w = inject(agent.url, "drop,opcode=close,from=client")
    story = python_client(w.url("/echo/close"), ["a"], 1, close_timeout=0.4)
    assert story.messages == ["a"] and story.ended - story.times[0] >= 0.39
    visit = agent.ended("/echo/close")
    assert visit.code == 1006 and visit.text == "no close frame received or sent"


async def echo_until(url, seen, start):
    """Echo until all of `seen` came back, in this order; (text, when) of each echo."""
    got = []
    async with connect(url, ping_interval=None, compression=None) as ws:
        while [t for i, (t, _) in enumerate(got) if i == 0 or got[i - 1][0] != t] != seen:
            await ws.send("x")
            got.append((await ws.recv(), time.monotonic() - start))
            await asyncio.sleep(0.02)  # a client that has something to say at times
    return got


def test_time(inject, agent):
    """Since the start, for any connection."""
    start = time.monotonic()
    w = inject(agent.url, "replace=now,from=server,time=1500ms..2s")
    got = asyncio.run(asyncio.wait_for(
        echo_until(w.url("/echo"), ["x", "now", "x"], start), 40))
    assert [at for text, at in got if text == "now"][0] >= 1.49
    w.stop()
    times = [f.time for f in faults_of(w.tape)]
    assert times and all(1.5e9 <= t < 2e9 for t in times)


def test_age(inject, agent):
    """Since the connection opened, for each by itself."""
    w = inject(agent.url, "replace=old,from=server,age=400ms..800ms")

    async def several():
        first = asyncio.ensure_future(
            echo_until(w.url("/echo"), ["x", "old", "x"], time.monotonic()))
        await asyncio.sleep(0.3)  # so that they are not of the same age
        second = asyncio.ensure_future(
            echo_until(w.url("/echo"), ["x", "old", "x"], time.monotonic()))
        return await asyncio.gather(first, second)

    for got in asyncio.run(asyncio.wait_for(several(), 40)):
        assert 0.39 <= [at for text, at in got if text == "old"][0] < 20


def test_after(inject, agent):
    """A rule that waits for another one, which has to act on the same connection."""
    w = inject(agent.url, "replace=went,from=server,text=^go$,name=the first",
               "replace=after,from=server,text=^x$,after=the first")
    said = ["x", "go", "x", "y", "x"]
    story = python_client(w.url("/echo"), said, 5)
    other = python_client(w.url("/echo"), ["x", "x"], 2)
    assert story.messages == ["x", "went", "after", "y", "after"]
    assert other.messages == ["x", "x"]


def test_budgets(inject, agent):
    """`times` is for all connections, `per_connection` for each."""
    w = inject(agent.url, "replace=A,from=server,times=3,text=a",
               "replace=B,from=server,per_connection=2,text=b",
               "replace=C,from=server,times=3,per_connection=1,text=c")
    got = [python_client(w.url("/echo"), list("aabbbcc"), 7).messages for _ in range(4)]
    assert ["".join(g) for g in got] == ["AABBbCc", "AaBBbCc", "aaBBbCc", "aaBBbcc"]


def test_held_messages_count_against_a_budget(inject, agent):
    """Also while they have not left yet."""
    w = inject(agent.url, "delay=600ms,from=server,times=2,text=late")
    running = [start_node(w.url("/echo"), say=["late"], count=1) for _ in range(4)]
    for program in running:
        program.wait_for(text="late")
    w.stop()
    assert len(faults_of(w.tape)) == 2


def test_rules_act_in_order(inject, agent):
    """Every rule that holds acts, until one ends the message."""
    w = inject(agent.url, "set_field.n=1,from=server", "rename_field.n=m,from=server",
               "drop_field=gone,from=server,message=1", "drop,from=server,message=2",
               "set_field.never=1,from=server,message=2", "duplicate,from=server,message=3")
    story = python_client(w.url("/echo"), ['{"n":0,"gone":1}', '{"n":0}', '{"n":3}'], 3)
    assert story.messages == ['{"m":1}', '{"m":1}', '{"m":1}']
    w.stop()
    acted = [(f.message, f.action) for f in faults_of(w.tape)]
    assert acted == [(1, "set_field"), (1, "rename_field"), (1, "drop_field"),
                     (2, "set_field"), (2, "rename_field"), (2, "drop"),
                     (3, "set_field"), (3, "rename_field"), (3, "duplicate")]
