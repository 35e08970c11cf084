"""A reader of some 40 lines in Python (read_tape.py) lists the messages of a tape."""

import base64
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import read_tape
from rig import frames, raw

READER = Path(read_tape.__file__)


def deflate(z, data):
    return (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.fixture
def session(record, listener):
    """A tape with all that messages can be, and the messages in order."""
    w = record(listener.url())
    extension = b"Sec-WebSocket-Extensions: permessage-deflate"
    client = raw.connect(w.port)
    client.send(frames.request("/one", extra=[extension]))
    server = listener.take()
    server.send(frames.response(server.read_head(), extra=[extension]))
    client.read_head()
    z = zlib.compressobj(wbits=-15)
    text = b'{"type":"agent_started","message":"again and again"}'
    big = bytes(range(256)) * 5000
    said = []

    def say(a, b, kind, data, *pieces):
        a.send(b"".join(pieces))
        b.read_to(len(b.got) + sum(map(len, pieces)))
        said.append(("client" if a is client else "server", kind, data))

    m = frames.MASK
    say(client, server, "text", b"plain", frames.frame(1, b"plain", mask=m))
    for _ in range(3):
        say(server, client, "text", text, frames.frame(1, deflate(z, text), rsv=4))
    say(server, client, "ping", b"p", frames.frame(9, b"p"))
    say(client, server, "pong", b"p", frames.frame(10, b"p", mask=m))
    half = deflate(z, text)
    say(server, client, "text", text, frames.frame(1, half[:3], rsv=4, fin=False),
        frames.frame(0, half[3:]))
    say(client, server, "binary", big, frames.frame(2, big[:7], mask=m, fin=False),
        frames.frame(0, big[7:], mask=m))
    say(server, client, "binary", b"", frames.frame(2, b""))
    say(client, server, "close", b"\x03\xe8bye", frames.close(1000, b"bye", mask=m))
    client.close()
    server.close()
    w.stop()
    return w, said


def test_lists_all_messages(session):
    w, said = session
    with open(w.tape, "rb") as f:
        assert [m[1:] for m in read_tape.messages(f)] == said


def test_agrees_with_show(session):
    w, said = session
    shown = [(m["from"], m["kind"], m) for m in w.show().all("message")]
    assert [m[:2] for m in shown] == [m[:2] for m in said]
    for (_, kind, m), (_, _, data) in zip(shown, said):
        if kind == "close":
            assert (m["code"], m["reason"]) == (1000, "bye")
        elif "base64" in m:
            assert base64.b64decode(m["base64"]) == data
        else:
            assert m["text"].encode() == data


def test_is_short_and_runs_alone(session):
    w, said = session
    code = [line for line in READER.read_text().splitlines()
            if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 40
    p = subprocess.run([sys.executable, READER, w.tape], capture_output=True, text=True)
    assert p.returncode == 0 and len(p.stdout.splitlines()) == len(said), p.stderr
