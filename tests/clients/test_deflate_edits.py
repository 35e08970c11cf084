"""permessage-deflate with rules in between: a thousand messages in one connection, some of
them dropped, edited, replaced, doubled, both ways; each that arrives is decoded by Node's
ws and Python's websockets, and is what the tape's faults make of what was sent."""

import asyncio
import json
import random

import pytest
from websockets.extensions.permessage_deflate import (ClientPerMessageDeflateFactory,
                                                      ServerPerMessageDeflateFactory)
from websockets.legacy.client import connect

from agent import Agent, python_client
from rig.faults import faults_of
from told import NodeServer, node_client

COUNT = 1000
END = "that is all"
TOOL = '"tool": "search", '
RULES = ["name=cut,drop_field=tool,probability=0.2", "name=drop,drop,probability=0.15",
         "name=double,duplicate,probability=0.05",
         "name=other,replace=other,probability=0.05", "name=row,drop,message=300..310"]


def said(seed):
    """JSON texts that compress well with those before them, some that do not at all, and
    some longer than any window."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefgh", k=9)) for _ in range(300)]
    out = []
    for n in range(COUNT):
        size = chance.choice([0, 3, 10, 40])
        text = " ".join(chance.choices(words, k=size))
        if n % 50 == 25:
            text = chance.randbytes(chance.randrange(3000)).hex()
        if n % 200 == 100:
            text = " ".join(chance.choices(words, k=6000))
        tool = TOOL if chance.random() < 0.8 else ""
        out.append(f'{{"n": {n}, {tool}"text": {json.dumps(text)}}}')
    return out


def after(messages, hits):
    """What becomes of messages: `hits` has (number, rule) of what was applied."""
    acts = {}
    for number, rule in hits:
        acts.setdefault(number, []).append(rule)
    out = []
    for n, message in enumerate(messages, 1):
        copies = 1
        for rule in acts.get(n, []):
            if rule == "cut":
                assert TOOL in message
                message = message.replace(TOOL, "")
            elif rule == "other":
                message = "other"
            elif rule == "double":
                copies += 1
            else:
                copies = 0
        out += [message] * copies
    return out


def start(inject, url, seed):
    """Each rule once a direction; never on the message that ends it all."""
    rules = [f"{r.replace('name=', f'name={side} ')},from={side},text=^(?!{END})"
             for side in ("client", "server") for r in RULES]
    return inject(url, *rules, args=("--seed", seed))


def check(w, sent, arrived, received):
    """`arrived` at the server, which echoed it, and `received` by the client."""
    w.stop()
    for side, before, got in (("client", sent, arrived), ("server", arrived, received)):
        hits = [(f.message, f.rule.split()[1])
                for f in faults_of(w.tape, side=side, applied=1)]
        assert got == after(before, hits), side
        assert {rule for _, rule in hits} == {"cut", "drop", "double", "other", "row"}
    # What had no field to drop says so.
    assert {f.rule.split()[1] for f in faults_of(w.tape, applied=0)} == {"cut"}


def to_node(bits_client=15, bits_server=15, fresh_client=False, fresh_server=False):
    return {"clientMaxWindowBits": bits_client, "serverMaxWindowBits": bits_server,
            "clientNoContextTakeover": fresh_client,
            "serverNoContextTakeover": fresh_server, "threshold": 0}


def to_python(bits_client=15, bits_server=15, fresh_client=False, fresh_server=False):
    return [ClientPerMessageDeflateFactory(
        client_max_window_bits=bits_client, server_max_window_bits=bits_server,
        client_no_context_takeover=fresh_client, server_no_context_takeover=fresh_server)]


@pytest.fixture(scope="module")
def python_server():
    with Agent(extensions=[ServerPerMessageDeflateFactory()]) as one:
        yield one


# (client's window bits, server's, client without context takeover, server)
WINDOWS = [(bits, 24 - bits, False, False) for bits in range(9, 16)]
FRESH = [(15, 15, True, False), (15, 15, False, True), (9, 12, True, True)]


def agreed(extensions, options):
    """The extension header says what was asked for."""
    bits_client, bits_server, fresh_client, fresh_server = options
    assert "permessage-deflate" in extensions
    assert ("client_no_context_takeover" in extensions) == fresh_client
    assert ("server_no_context_takeover" in extensions) == fresh_server
    for side, bits in (("client", bits_client), ("server", bits_server)):
        assert bits == 15 or f"{side}_max_window_bits={bits}" in extensions, extensions


@pytest.mark.parametrize("options", WINDOWS + FRESH)
def test_node_client_and_python_server(options, inject, python_server, tmp_path):
    seed = hash(options) % 1000
    sent = [*said(seed), END]
    (tmp_path / "said.json").write_text(json.dumps(sent))
    w = start(inject, python_server.url, seed)
    path = f"/echo/{options}".replace(" ", "")
    told = node_client(w.url(path), file=str(tmp_path / "said.json"), until=END,
                       deflate=to_node(*options))
    assert told.errors == []
    agreed(told.of("upgrade")[0]["sec-websocket-extensions"], options)
    check(w, sent, python_server.ended(path).received, told.texts)


@pytest.mark.parametrize("options", WINDOWS + FRESH)
def test_python_client_and_node_server(options, inject):
    seed = hash(options) % 1000
    sent = [*said(seed), END]
    server = NodeServer(deflate=to_node(*options))
    w = start(inject, server.url, seed)
    story = python_client(w.url("/x"), sent, until=END, extensions=to_python(*options))
    assert (story.error, story.text) == (None, None)
    arrived = server.story("/x")
    assert arrived.errors == []
    head = w.show().one("response")["head"]
    agreed(head.split("Extensions: ")[1].split("\r")[0], options)
    check(w, sent, arrived.texts, story.messages)
    server.kill()


def overtaken(messages, every, count):
    """What `reorder=count,message=every N` makes of them."""
    out, waiting = [], []
    for n, message in enumerate(messages, 1):
        if n % every == 0:
            waiting.append([message, count])
            continue
        out.append(message)
        for one in waiting:
            one[1] -= 1
        out += [m for m, left in waiting if left == 0]
        waiting = [one for one in waiting if one[1] > 0]
    return out + [m for m, _ in waiting]


@pytest.mark.parametrize("side", ["client", "server"])
def test_reordered_and_compressed(side, inject, python_server, tmp_path):
    """With context takeover, what overtakes is compressed before what is overtaken."""
    sent = said(3)[:402]
    (tmp_path / "said.json").write_text(json.dumps([*sent, END]))
    w = inject(python_server.url, f"reorder=3,message=every 7,from={side}",
               f"delay=1ms,message=every 50,from={side}", args=("--seed", 1))
    path = f"/echo/reordered/{side}"
    story = python_client(w.url(path), [*sent, END], until=END, extensions=to_python())
    told = node_client(w.url(path), file=str(tmp_path / "said.json"), until=END,
                       deflate=to_node())
    expected = [*overtaken(sent, 7, 3), END]
    assert (story.text, told.errors) == (None, [])
    assert story.messages == told.texts == expected


def test_fragmented_and_compressed(inject, python_server):
    """A message in several frames, each edited one in one."""
    sent = said(1)[:200]
    w = inject(python_server.url, "drop_field=tool,message=every 3")

    async def fragments():
        got = []
        async with connect(w.url("/echo/fragments"), compression=None, max_size=1 << 24,
                           extensions=to_python()) as ws:
            for text in sent:
                third = len(text) // 3
                await ws.send([text[:third], text[third:2 * third], text[2 * third:]])
                got.append(await ws.recv())
        return got

    got = asyncio.run(asyncio.wait_for(fragments(), 40))
    assert got == [t.replace(TOOL, "") if n % 3 == 0 else t for n, t in enumerate(sent, 1)]


def test_large_messages_escape(inject, python_server):
    """Over --max-message the compressed ones pass unjudged; those after them are sound."""
    sent = said(2)[:300]
    w = inject(python_server.url, "drop_field=tool,from=server,name=cut",
               args=("--max-message", "20k"))
    story = python_client(w.url("/echo"), [*sent, END], until=END, extensions=to_python())
    assert (story.error, story.text) == (None, None)
    w.stop()
    cut = {f.message for f in faults_of(w.tape, applied=1)}
    assert story.messages == [t.replace(TOOL, "") if n in cut else t
                              for n, t in enumerate(sent, 1)] + [END]
    large = {n for n, t in enumerate(sent, 1) if len(t) > 20 * 1024}
    assert large and not large & cut
    assert any("--max-message" in f.text for f in faults_of(w.tape, applied=0))
