"""Tapes that are torn, damaged, or still being written: all that can be read is read, and
nothing is invented."""

import json
import os
import random
import select
import signal
import subprocess
import time

import pytest

from rig import frames, raw
from rig.process import BROKEN, Wstape, binary, run

ROUNDS = 30


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A tape of two connections and some hundred records; (its bytes, its objects)."""
    folder = tmp_path_factory.mktemp("whole")
    with raw.Listener() as listener:
        w = Wstape(folder, listener.url())
        pairs = [raw.upgrade(w.port, listener, f"/ws/{i}") for i in range(2)]
        for i in range(60):
            for client, server in pairs:
                up = frames.frame(1, b'{"n":%d}' % i, mask=frames.MASK)
                down = frames.frame(2, bytes(i * 20))
                client.send(up)
                server.read_to(len(server.got) + len(up))
                server.send(down)
                client.read_to(len(client.got) + len(down))
        for pair in pairs:
            for end in pair:
                end.close()
        w.stop()
    return w.tape.read_bytes(), w.show().objects


def lines(tape):
    """(status, timeline objects) of show --json; it must not break."""
    p = run("show", "--json", tape)
    assert not BROKEN.search(p.stderr), p.stderr
    return p.returncode, [json.loads(line) for line in p.stdout.splitlines()], p.stderr


def messages(objects):
    return [o for o in objects if o["record"] == "message"]


def is_subsequence(part, of):
    rest = iter(of)
    return all(any(x == y for y in rest) for x in part)


@pytest.mark.sanitize
def test_torn_anywhere(whole, tmp_path):
    """Cut at many points: the messages shown are those of a prefix, and grow with it."""
    data, objects = whole
    all_messages = messages(objects)
    rng = random.Random(7)
    cuts = sorted({len(data) - 1, *(rng.randrange(300, len(data)) for _ in range(ROUNDS))})
    before = 0
    for cut in cuts:
        tape = tmp_path / f"{cut}.wstape"
        tape.write_bytes(data[:cut])
        status, got, talk = lines(tape)
        assert status == 0, (cut, talk)
        shown = messages(got)
        assert shown == all_messages[:len(shown)], cut
        assert len(shown) >= before
        before = len(shown)
        tape.unlink()
    assert before == len(all_messages)


@pytest.mark.sanitize
def test_torn_in_the_beginning(whole, tmp_path):
    data, _ = whole
    for cut in range(0, 300, 7):
        tape = tmp_path / "t.wstape"
        tape.write_bytes(data[:cut])
        status, got, talk = lines(tape)
        assert status in (0, 1, 3) and (status == 0 or talk), cut
        assert not messages(got)


@pytest.mark.sanitize
def test_damaged_anywhere(whole, tmp_path):
    """One byte changed: verify says so, and show loses at most what was hit."""
    data, objects = whole
    all_messages = messages(objects)
    rng = random.Random(11)
    tape = tmp_path / "d.wstape"
    for _ in range(ROUNDS):
        at = rng.randrange(len(data))
        hurt = bytearray(data)
        hurt[at] ^= 1 << rng.randrange(8)
        tape.write_bytes(hurt)
        p = run("verify", tape)
        assert p.returncode == 1, (at, p)
        assert not BROKEN.search(p.stderr)
        status, got, talk = lines(tape)
        assert status in (0, 1), (at, talk)
        shown = [{k: v for k, v in m.items() if k != "message"} for m in messages(got)]
        known = [{k: v for k, v in m.items() if k != "message"} for m in all_messages]
        assert is_subsequence(shown, known), at
        assert len(shown) >= len(known) - 2, at


def test_stretch_cut_out(whole, tmp_path):
    """Whole records that are missing are noticed too."""
    data, _ = whole
    rng = random.Random(3)
    tape = tmp_path / "c.wstape"
    for _ in range(10):
        a = rng.randrange(400, len(data) - 2000)
        tape.write_bytes(data[:a] + data[a + rng.randrange(1, 1500):])
        p = run("verify", tape)
        assert p.returncode == 1 and p.stdout + p.stderr, a


@pytest.mark.sanitize
def test_repair(whole, tmp_path):
    """What is repaired verifies, and has every record that could be read."""
    data, _ = whole
    rng = random.Random(5)
    for i in range(10):
        hurt, fixed = tmp_path / f"h{i}.wstape", tmp_path / f"f{i}.wstape"
        bad = bytearray(data[:rng.randrange(len(data) // 2, len(data))])
        at = rng.randrange(400, len(bad) - 50)
        bad[at:at + 20] = rng.randbytes(20)
        hurt.write_bytes(bad)
        p = run("verify", hurt, "--repair", fixed)
        assert p.returncode == 1 and fixed.exists(), p
        again = run("verify", fixed)
        assert again.returncode == 0, again
        assert [(m["connection"], m["from"], m.get("text"), m.get("base64"))
                for m in messages(lines(fixed)[1])] == [
            (m["connection"], m["from"], m.get("text"), m.get("base64"))
            for m in messages(lines(hurt)[1])]


def test_whole_tape_verifies(whole, tmp_path):
    tape = tmp_path / "w.wstape"
    tape.write_bytes(whole[0])
    p = run("verify", tape)
    assert p.returncode == 0 and not p.stderr, p


# ---- tapes that are still being written ----

def test_live_tape(record, listener):
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener, "/live")
    for i in range(5):
        data = frames.frame(1, b"message %d" % i)
        server.send(data)
        client.read_to(len(client.got) + len(data))
        # It has arrived, so it is on the tape.
        texts = [m["text"] for m in w.show().all("message")]
        assert texts == [f"message {n}" for n in range(i + 1)]
    verified = run("verify", w.tape)
    assert verified.returncode in (0, 1) and verified.stdout + verified.stderr
    client.close()
    server.close()


class Follow:
    """`show --follow --json` as a stream of objects."""

    def __init__(self, tape, *args):
        self.process = subprocess.Popen(
            [binary(), "show", "--follow", "--json", *args, str(tape)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer = b""

    def next(self, timeout=10):
        while b"\n" not in self.buffer:
            assert select.select([self.process.stdout], [], [], timeout)[0], "nothing new"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def next_message(self):
        while (o := self.next()) is not None:
            if o["record"] == "message":
                return o
        return None


def test_follow(record, listener):
    """New messages are shown while they come, also when they come in pieces; it ends with
    the tape."""
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener, "/follow")
    follow = Follow(w.tape)
    for i in range(10):
        data = frames.frame(1, b"message %d" % i, mask=frames.MASK)
        client.send(data[:9])
        start = time.monotonic()
        client.send(data[9:])
        m = follow.next_message()
        assert m["text"] == f"message {i}" and m["message"] == i + 1
        assert time.monotonic() - start < 3
    client.close()
    server.close()
    w.stop()
    rest = []
    while (o := follow.next()) is not None:
        rest.append(o["record"])
    assert "summary" in rest and rest[-1] == "connection"  # now they are known
    assert follow.process.wait(10) == 0


def test_follow_is_ended_by_a_signal(record, listener):
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener, "/follow")
    data = frames.frame(1, b"one")
    server.send(data)
    follow = Follow(w.tape)
    assert follow.next_message()["text"] == "one"
    follow.process.send_signal(signal.SIGINT)
    assert follow.process.wait(10) in (0, -signal.SIGINT, 128 + signal.SIGINT)
    client.close()
    server.close()
