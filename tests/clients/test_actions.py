"""Actions on connections, handshakes and streams, each met by a client that was not
written here."""

import asyncio
import ssl
import subprocess
import time

import pytest
from websockets.exceptions import InvalidHandshake
from websockets.legacy.client import connect

from agent import CHAT, GREETING, RUN, Agent, python_client
from rig import frames, raw
from rig.faults import faults_of
from told import NodeServer, node_client

ALL = [GREETING, *RUN]


@pytest.fixture(scope="module")
def agent():
    with Agent(subprotocols=["chat.v1"]) as one:
        yield one


@pytest.fixture(scope="module")
def node_server():
    one = NodeServer(deflate=True)
    yield one
    one.kill()


def curl(w, path, *args, scheme="http"):
    return subprocess.run(
        ["curl", "-sS", "--max-time", "30", *map(str, args), w.url(path, scheme)],
        capture_output=True, text=True)


def fired(w):
    """What acted, as (action, side) without the unapplied ones."""
    return [(f.action, f.side) for f in faults_of(w.tape, applied=1)]


# ---- connections ----


@pytest.mark.parametrize("rule", ["reset", "reset,path=/ws*", "reset,header.User-Agent=*"])
def test_reset(rule, inject, agent):
    """With a path or a header, it is reset once that is known."""
    w = inject(agent.url, rule)
    story = python_client(w.url("/ws"), count=1)
    told = node_client(w.url("/ws"), headers={"User-Agent": "x"})
    done = curl(w, "/ws", "-A", "curl")
    assert any(isinstance(e, ConnectionResetError)
               for e in (story.error, story.error.__cause__)), repr(story.error)
    assert told.errors[0][1] == "ECONNRESET"
    # The reset may be there before curl sees that it was connected (7).
    assert done.returncode in ((7, 56) if rule == "reset" else (56,)), done.stderr


@pytest.mark.parametrize("rule", ["hang=700ms", "hang=700ms,path=/ws*",
                                  "accept_delay=700ms", "handshake_delay=700ms"])
def test_served_late(rule, inject, agent):
    """What was held is given back: the client only sees that it takes long."""
    w = inject(agent.url, rule)
    story = python_client(w.url("/ws"), [CHAT], 6)
    told = node_client(w.url("/ws"), say=[CHAT], count=6)
    assert story.messages == ALL and told.texts == ALL
    assert 0.69 <= story.opened < 10
    assert told.lines[0]["time"] >= 0.65
    assert fired(w) == [(rule.split("=")[0], "client")] * 2


def test_hang_before_the_handshake_of_tls(inject, agent, tmp_path):
    w = inject(agent.url, "hang=600ms,connection=2", listen="wss://localhost:0",
               env={"WSTAPE_CA_DIR": str(tmp_path / "ca")})
    tls = ssl.create_default_context(cafile=ca_file(tmp_path))
    quick = python_client(w.url("/ws", "wss", "localhost"), [CHAT], 6, ssl=tls)
    slow = python_client(w.url("/ws", "wss", "localhost"), [CHAT], 6, ssl=tls)
    assert quick.messages == slow.messages == ALL
    assert slow.opened >= 0.59


def ca_file(tmp_path):
    return str(tmp_path / "ca/ca.pem")


TLS = {  # verify code and message of OpenSSL, code of Node
    "expired": (10, "certificate has expired", "CERT_HAS_EXPIRED"),
    "self_signed": (18, "self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"),
    "wrong_host": (62, "Hostname mismatch, certificate is not valid for 'localhost'.",
                   "ERR_TLS_CERT_ALTNAME_INVALID"),
}


@pytest.mark.parametrize("fault", TLS)
def test_bad_certificates(fault, inject, agent, tmp_path):
    """For clients that trust the authority, and only for the connections named."""
    w = inject(agent.url, f"tls={fault},connection=1..3", listen="wss://localhost:0",
               env={"WSTAPE_CA_DIR": str(tmp_path / "ca")})
    number, words, code = TLS[fault]
    ca, url = ca_file(tmp_path), w.url("/ws", "wss", "localhost")
    tls = ssl.create_default_context(cafile=ca)

    story = python_client(url, count=1, ssl=tls)
    told = node_client(url, ca=ca)
    told_openssl = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{w.port}", "-CAfile", str(ca),
         "-verify_hostname", "localhost", "-verify_return_error"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    good = python_client(url, count=1, ssl=tls)

    assert isinstance(story.error, ssl.SSLCertVerificationError), repr(story.error)
    assert (story.error.verify_code, story.error.verify_message) == (number, words)
    assert told.errors[0][1] == code
    assert f"verify error:num={number}:" in told_openssl.stdout + told_openssl.stderr
    assert good.messages == [GREETING]


def test_tls_breaks_off(inject, agent, tmp_path):
    w = inject(agent.url, "tls=abort,connection=1..3", listen="wss://localhost:0",
               env={"WSTAPE_CA_DIR": str(tmp_path / "ca")})
    ca, url = ca_file(tmp_path), w.url("/ws", "wss", "localhost")
    tls = ssl.create_default_context(cafile=ca)

    story = python_client(url, count=1, ssl=tls)
    told = node_client(url, ca=ca)
    done = curl(w, "/x", "--cacert", ca, scheme="https")
    good = python_client(url, count=1, ssl=tls)

    assert isinstance(story.error, (ConnectionResetError, ssl.SSLEOFError)), \
        repr(story.error)
    assert told.errors[0][1] == "ECONNRESET"
    assert done.returncode == 35, done.stderr
    assert good.messages == [GREETING]


# ---- handshakes ----


def test_bad_accept(inject, agent):
    w = inject(agent.url, "bad_accept")
    story = python_client(w.url("/ws"), count=1)
    told = node_client(w.url("/ws"))
    assert isinstance(story.error, InvalidHandshake)
    assert "invalid Sec-WebSocket-Accept header" in str(story.error)
    assert told.errors[0][0] == "Invalid Sec-WebSocket-Accept header"


def test_forged_subprotocol(inject, agent):
    w = inject(agent.url, "subprotocol=chat.v9")
    story = python_client(w.url("/ws"), count=1, subprotocols=["chat.v1"])
    told = node_client(w.url("/ws"), protocols=["chat.v1"])
    assert isinstance(story.error, InvalidHandshake)
    assert str(story.error) == "unsupported subprotocol: chat.v9"
    assert told.errors[0][0] == "Server sent an invalid subprotocol"


def test_forged_extension(inject, agent):
    w = inject(agent.url, "extension=x-unknown")
    story = python_client(w.url("/ws"), count=1, compression="deflate")
    told = node_client(w.url("/ws"))
    assert isinstance(story.error, InvalidHandshake)
    assert "x-unknown" in str(story.error)
    assert told.errors[0][0] == (
        "Server sent a Sec-WebSocket-Extensions header but no extension was requested")


def test_headers_of_the_request(inject, agent):
    """Some are set, some are dropped, all others are as they came."""
    w = inject(agent.url, "set_header.Authorization=Bearer expired,from=client",
               "drop_header=[Cookie,X-Gone],from=client")
    sent = [("Cookie", "a=b"), ("Authorization", "Bearer good"), ("X-Gone", "1"),
            ("X-Kept", "2"), ("Authorization", "Bearer twice")]
    story = python_client(w.url("/ws/headers"), count=1, extra_headers=sent)
    assert story.messages == [GREETING]
    headers = agent.visit("/ws/headers").headers
    assert headers.get_all("Authorization") == ["Bearer expired"]
    assert "Cookie" not in headers and "X-Gone" not in headers
    assert headers["X-Kept"] == "2"


def test_headers_of_the_answer(inject, node_server):
    w = inject(node_server.url, "set_header.X-Trace=t 1,from=server",
               "drop_header=Sec-WebSocket-Extensions,from=server")
    told = node_client(w.url("/x"), say=["a"], count=1, deflate=True)
    assert told.of("upgrade")[0]["x-trace"] == "t 1"
    assert "sec-websocket-extensions" not in told.of("upgrade")[0]
    # The server believes that compression was agreed.
    assert told.errors == [("Invalid WebSocket frame: RSV1 must be clear",
                            "WS_ERR_UNEXPECTED_RSV_1")]


def test_without_an_upgrade(inject, node_server):
    """drop_header can take away what makes it a WebSocket."""
    w = inject(node_server.url, "drop_header=Sec-WebSocket-Accept")
    told = node_client(w.url("/x"))
    assert told.errors[0][0] == "Invalid Sec-WebSocket-Accept header"


def test_headers_of_http(inject, agent):
    w = inject(agent.url, "set_header.X-From=rule,from=server")
    done = curl(w, "/plain", "-i")
    assert "X-From: rule" in done.stdout, done


# ---- streams ----


def test_latency(inject, agent):
    """Each way counts once; order and bytes stay."""
    w = inject(agent.url, "latency=150ms")
    one_way = inject(agent.url, "latency=300ms,from=server")
    story = python_client(w.url("/echo"), ["a", "b"], 2)
    other = python_client(one_way.url("/echo"), ["a", "b"], 2)
    assert story.messages == other.messages == ["a", "b"]
    for s in (story, other):
        assert s.opened >= 0.29
        assert s.times[0] - s.opened >= 0.29


def test_jitter(inject, agent):
    """Nothing overtakes, and the delays differ."""
    w = inject(agent.url, "latency=40ms,jitter=30ms,from=server")
    said = [f"n {n}" for n in range(30)]
    times = []

    async def ask():
        async with connect(w.url("/echo"), compression=None) as ws:
            for text in said:
                start = time.monotonic()
                await ws.send(text)
                assert await ws.recv() == text
                times.append(time.monotonic() - start)

    asyncio.run(asyncio.wait_for(ask(), 40))
    assert min(times) >= 0.009 and max(times) - min(times) > 0.02
    together = python_client(w.url("/echo"), said, 30)
    assert together.messages == said


def test_bandwidth(inject, agent):
    w = inject(agent.url, "bandwidth=64k,from=server")
    text = "x" * 65536
    story = python_client(w.url("/echo"), [text], 1)
    assert story.messages == [text]
    assert 0.95 <= story.times[0] - story.opened < 10


def test_slice(inject, agent, listener):
    """The client gets it in pieces, as a raw one sees."""
    w = inject(listener.url(), "slice=10,delay=20ms,from=server")
    client, server = raw.upgrade(w.port, listener)
    at = len(client.got)
    server.send(frames.frame(frames.TEXT, b"y" * 48))
    start, sizes = time.monotonic(), []
    while sum(sizes) < 50:
        before = len(client.got)
        assert client.read_some()
        sizes.append(len(client.got) - before)
    assert max(sizes) <= 30, "not all at once"
    assert len(client.got) == at + 50
    assert time.monotonic() - start >= 0.079
    w2 = inject(agent.url, "slice=16,delay=5ms,from=server")
    assert python_client(w2.url("/ws"), [CHAT], 6).messages == ALL


def test_limit(inject, agent):
    """So many bytes of the stream arrive, heads included, then it is over at once."""
    w = inject(agent.url, "limit=2k,from=server")
    text = "z" * 1000
    story = python_client(w.url("/echo/limit"), [text] * 5)
    told = node_client(w.url("/echo"), say=[text] * 5)
    assert story.messages == [text] and told.texts == [text]
    assert story.code == told.code == 1006, "no close frame came"
    assert story.text.startswith("no close frame received")
    assert agent.ended("/echo/limit").code == 1006


def test_limit_in_the_middle_of_http(inject, agent):
    w = inject(agent.url, "limit=30,from=server")
    done = curl(w, "/plain", "-i")
    assert done.returncode != 0, done


def test_slow_close(inject, agent):
    """The close frame comes in time, the end of the connection does not."""
    w = inject(agent.url, "slow_close=700ms,from=server")
    story = python_client(w.url("/echo"), ["a"], 1)
    assert story.messages == ["a"]
    # The client waits for the end of the connection once the close handshake is done.
    assert story.ended - story.times[0] >= 0.69
    told = node_client(w.url("/echo"), say=["a"], count=1).lines
    text, close = (next(x for x in told if k in x)["time"] for k in ("text", "close"))
    assert close - text >= 0.65
