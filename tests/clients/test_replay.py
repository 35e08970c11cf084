"""The tape instead of the backend: a session of the product, recorded, and then the same
clients again with the backend gone."""

import ssl

import pytest

from product import Product, session, sessions
from tapes import get, recorded

CHATS = ("hello", "how are you?", "bye now")


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    """The tape of one session and of two health checks; the client's log. The backend is
    gone afterwards."""
    with Product() as product:
        return recorded(tmp_path_factory.mktemp("tape"), product.url, lambda w: (
            session(w.url("/ws/test"), CHATS), get(w.url("/health", "http")),
            get(w.url("/api/agents", "http"))))


def same(log, then):
    """Message for message; what the client draws takes the place of what it drew."""
    assert log.normal() == then.normal()
    assert len(log.texts) == 17 and log.pongs == then.pongs == 1
    assert (log.code, log.reason) == (then.code, then.reason) == (1000, "done")
    ours = {str(v) for said in then.drawn for k, v in said.items()
            if k not in ("type", "message")}
    assert len(ours) == 9 and not any(v in t for t in log.texts for v in ours)


def test_the_session_again(tape, replay):
    file, (then, *_) = tape
    w = replay(file)
    same(session(w.url("/ws/test"), CHATS), then)
    w.stop()
    assert w.stdout() == "" and w.told()[1:] == [
        "GET /ws/test (WebSocket): played 1 time, 1 on the tape",
        "GET /health: not played, 1 on the tape",
        "GET /api/agents: not played, 1 on the tape",
        "connection 1, answered from connection 1 of the tape: "
        "4 of 4 messages came, all as on the tape", "no mismatch"]


def test_http_beside_it(tape, replay):
    file, (_, health, agents) = tape
    w = replay(file)
    log = session(w.url("/ws/test"), CHATS)
    assert get(w.url("/health", "http")) == health
    assert get(w.url("/api/agents", "http")) == agents
    assert get(w.url("/health?deep=1", "http")) == health, "the path counts"
    assert len(log.texts) == 17
    assert health[0] == 200 and b'"ok"' in health[1]


def test_other_words(tape, replay):
    """What the client says is told when it is not what was recorded, and answered as
    that was, with its own words where the backend repeated them."""
    file, (then, *_) = tape
    w = replay(file, "--pace", "max")
    log = session(w.url("/ws/test"), ("good morning", "how are you?", "and good night"))
    assert log.normal() == then.normal()
    assert log.messages[2]["thought"] == "they said: good morning"
    line = w.tells("$.message")
    assert 'message 1 $.message: "hello" → "good morning"' in line


def test_many_at_once(tape, replay):
    file, (then, *_) = tape
    w = replay(file)
    for log in sessions([w.url("/ws/test")] * 30, CHATS):
        same(log, then)


def test_tls(tape, replay, pki):
    file, (then, health, _) = tape
    w = replay(file, "--tls-cert", pki.good[0], "--tls-key", pki.good[1],
               listen="wss://127.0.0.1:0")
    trust = ssl.create_default_context(cafile=pki.ca_file)
    same(session(w.url("/ws/test", "wss", "localhost"), CHATS, ssl=trust), then)
    assert get(w.url("/health", "https", "localhost"), context=trust) == health


@pytest.mark.parametrize("live", ["deflate", None])
@pytest.mark.parametrize("recorded_with", ["deflate", None])
def test_compression(recorded_with, live, replay, tmp_path):
    """What was recorded with permessage-deflate is said with it, if the client offers
    it."""
    with Product(compression=recorded_with) as product:
        file, then = recorded(tmp_path, product.url, lambda w: session(
            w.url("/ws"), CHATS, compression="deflate"))
    w = replay(file)
    log = session(w.url("/ws"), CHATS, compression=live)
    same(log, then)
    agreed = live and recorded_with
    assert log.extensions == (["permessage-deflate"] if agreed else [])


def test_subprotocol(replay, tmp_path):
    """Clients that send a token as a subprotocol get the one that was agreed."""
    with Product(subprotocols=["chat.v1"]) as product:
        file, then = recorded(tmp_path, product.url, lambda w: session(
            w.url("/ws"), CHATS, subprotocols=["token.abc", "chat.v1"]))
    w = replay(file, "--pace", "max")
    log = session(w.url("/ws"), CHATS, subprotocols=["token.other", "chat.v1"])
    same(log, then)
    without = session(w.url("/ws"), CHATS)
    assert (then.protocol, log.protocol, without.protocol) == ("chat.v1", "chat.v1", None)
    assert without.normal() == then.normal()
    assert "Sec-WebSocket-Protocol" in w.tells("connection 2")


def test_a_path_each(replay, tmp_path):
    """Several sockets at once: each is answered from the tape's connection of its path."""
    paths = [f"/ws/{n}" for n in range(12)]
    with Product() as product:
        file, logs = recorded(tmp_path, product.url, lambda w: sessions(
            [w.url(p) for p in paths], CHATS))
    then = dict(zip(paths, logs))
    w = replay(file)
    for path, log in zip(paths[::-1], sessions([w.url(p) for p in paths[::-1]], CHATS)):
        assert log.messages[0]["data"]["path"] == path
        same(log, then[path])


def test_a_tape_of_the_replay(tape, replay, tmp_path):
    """A replay can be recorded, and that tape is as good as the first."""
    file, (then, *_) = tape
    first = replay(file, "-o", tmp_path / "again.wstape")
    session(first.url("/ws/test"), CHATS)
    first.stop()
    second = replay(tmp_path / "again.wstape")
    same(session(second.url("/ws/test"), CHATS), then)


def test_through_record(tape, replay, record):
    """`record` in front of a replay: the new tape has the messages of the old one."""
    file, (then, *_) = tape
    w = record(replay(file).url(""))
    log = session(w.url("/ws/test"), CHATS)
    same(log, then)
    w.stop()

    shown = w.show()
    texts = shown.all("message", kind="text", **{"from": "server"})
    assert [m["text"] for m in texts] == log.texts
    assert shown.one("connection")["status"] == 101
