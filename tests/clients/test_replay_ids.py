"""Values that a client makes up anew in every run: the answers repeat the live ones, with
no option set."""

import asyncio
import json
import uuid

import pytest
from websockets.legacy.client import connect

from agent import TIMEOUT, Agent
from product import Product, session
from tapes import recorded


class Repeating(Agent):
    """Greets nobody, and answers with what `answers(said)` makes of a message."""

    def __init__(self, answers):
        self.answers = answers
        super().__init__()

    async def greet(self, ws):
        pass

    async def answer(self, ws, message):
        for text in self.answers(json.loads(message)):
            await ws.send(text if isinstance(text, str) else json.dumps(text))


def exchange(url, says, count):
    """Send each and take `count` answers to it."""
    async def run():
        got = []
        async with connect(url, ping_interval=None) as ws:
            for said in says:
                await ws.send(json.dumps(said))
                got.append([await ws.recv() for _ in range(count)])
        return got

    return asyncio.run(asyncio.wait_for(run(), TIMEOUT))


def both(answers, first, second, replay, folder, *args):
    """What the backend says to `second`, and what the tape of `first` says to it."""
    with Repeating(answers) as backend:
        count = len(answers(first[0]))
        file, _ = recorded(folder, backend.url,
                           lambda w: exchange(w.url("/ws"), first, count))
        real = exchange(backend.url, second, count)
    return real, exchange(replay(file, "--pace", "max", *args).url("/ws"), second, count)


def uuids(said):
    i = said["id"]
    return [{"a": [{"b": {"id": i}}], "text": f"run {i} started",
             "at": f"/runs/{i}/log?x={i}"},
            f"plain text: {i}.", {"list": [i, [i]], i: True}, {"u": f"urn:uuid:{i}"}]


def numbers(said):
    return [{"n": said["n"], "s": str(said["n"])}, {"jsonrpc": "2.0", "id": said["id"]},
            {"text": f"no. {said['n']} of {said['n']}"}]


def texts(said):
    return [{"echo": said["text"]}, {"quoted": f"you said: {said['text']}"},
            {"token": said["token"], "auth": f"Bearer {said['token']}"}]


def escapes(said):
    return [{"echo": said["text"], "again": [said["text"]]},
            json.dumps({"raw": said["text"]}, ensure_ascii=False)]


def one_uuid():
    return {"type": "start", "id": str(uuid.uuid4())}


SAID = {
    "uuids": (uuids, [one_uuid(), one_uuid()], [one_uuid(), one_uuid()]),
    "numbers": (numbers, [{"n": 7654321, "id": 1}, {"n": 7654322, "id": 2}],
                [{"n": 1234567, "id": 51}, {"n": 99, "id": 52}]),
    "texts": (texts, [{"text": "what is it?", "token": "eyJh.abc-d_e.f00"}],
              [{"text": "something that is a lot longer", "token": "short.one"}]),
    "escapes": (escapes, [{"text": "plain words"}],
                [{"text": 'quotes " and \\ and \n, höm 🦊, \u0007'}]),
}


@pytest.mark.parametrize("kind", SAID)
def test_live_values(kind, replay, tmp_path):
    answers, first, second = SAID[kind]
    real, played = both(answers, first, second, replay, tmp_path)
    for a, b in zip(real, played, strict=True):
        for x, y in zip(a, b, strict=True):
            try:
                assert json.loads(y) == json.loads(x)
            except json.JSONDecodeError:
                assert y == x


def test_none(replay, tmp_path):
    """--substitute none: what was recorded is said."""
    first, second = SAID["uuids"][1:]
    _, played = both(uuids, first, second, replay, tmp_path, "--substitute", "none")
    was, is_ = [json.dumps(s) for s in first], [s["id"] for s in second]
    for said, answers in zip(first, played):
        assert all(said["id"] in text for text in answers), was
        assert not any(i in text for text in answers for i in is_)


def test_each_connection_has_its_own(replay, tmp_path):
    with Product() as product:
        file, then = recorded(tmp_path, product.url, lambda w: session(w.url("/ws")))
    w = replay(file, "--pace", "max", "-v")
    logs = [session(w.url("/ws")) for _ in range(3)]
    for log in logs:
        assert log.normal() == then.normal()
    seen = {m["request_id"] for log in logs for m in log.messages if "request_id" in m}
    assert len(seen) == 9
    w.stop()
    said = w.stdout() + w.stderr()
    assert "$.request_id" in said and "$.timestamp" in said, said
