"""`wstape show` on tapes that grow, on tapes that are large, and on pipes that close."""

import json
import os
import select
import signal
import subprocess

import msgpack
import pytest

from rig import frames, raw
from rig.process import binary, is_sanitized, process_ended, run
from rig.tape import FRAME, SUMMARY
from rig.wait import ready, rss_kb

WITHIN = 20
LARGE = 256 * 1024 * 1024
RSS_MAX_KB = 30 * 1024


class Following:
    """`wstape show --follow` as a process, read line by line while it runs."""

    def __init__(self, tape, *args):
        self.process = subprocess.Popen(
            [binary(), "show", str(tape), "--follow", *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pending = b""

    def lines(self):
        """Lines as they come, until the output ends."""
        fd = self.process.stdout.fileno()
        while True:
            while b"\n" in self.pending:
                line, _, self.pending = self.pending.partition(b"\n")
                yield line.decode()
            assert ready(fd, WITHIN, select.POLLIN | select.POLLHUP), self.pending
            data = os.read(fd, 65536)
            if not data:
                return
            self.pending += data

    def wait(self):
        assert process_ended(self.process.pid, WITHIN)
        return self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def following():
    started = []

    def start(tape, *args):
        started.append(Following(tape, *args))
        return started[-1]

    yield start
    for f in started:
        f.close()


def say(client, server, text):
    server.send(frames.frame(1, text.encode()))
    client.read_to(len(client.got) + len(text) + 2)


def next_message(lines):
    for line in lines:
        record = json.loads(line)
        if record["record"] == "message":
            return record["text"]
    raise AssertionError("the output ended")


@pytest.mark.sanitize
def test_follow_prints_what_happens(record, listener, following):
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener, "/ws")
    say(client, server, "before it was started")
    show = following(w.tape, "--json")
    lines = show.lines()
    assert next_message(lines) == "before it was started"
    for i in range(20):
        say(client, server, f"live {i}")
        assert next_message(lines) == f"live {i}"
    client.close()
    server.close()
    w.stop()
    rest = [json.loads(line) for line in lines]
    assert "summary" in [r["record"] for r in rest]
    assert rest[-1]["record"] == "connection"
    assert rest[-1]["from_server"]["messages"] == 21
    assert show.wait() == 0


def test_follow_ends_on_interrupt(record, listener, following):
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener, "/ws")
    say(client, server, "hello")
    show = following(w.tape)
    lines = show.lines()
    seen = []
    for line in lines:
        seen.append(line)
        if line.endswith("hello"):
            break
    assert any("following" in line for line in seen)
    show.process.send_signal(signal.SIGINT)
    rest = list(lines)
    assert any("GET /ws" in line for line in rest)
    assert show.wait() == 0
    client.close()
    server.close()


def test_follow_waits_for_the_first_byte(record, listener, following, tmp_path):
    early = tmp_path / "early.wstape"
    early.touch()
    show = following(early, "--json")
    w = record(listener.url(), output=early)
    assert json.loads(next(show.lines()))["record"] == "tape"
    w.stop()
    assert show.wait() == 0


def test_follow_needs_a_file():
    p = run("show", "-", "--follow")
    assert p.returncode == 2
    assert "--follow" in p.stderr


# ---- large tapes ----

@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A finished tape with one long message, and where its last frame's record lies."""
    from rig.process import Wstape

    folder = tmp_path_factory.mktemp("small")
    with raw.Listener() as listener:
        w = Wstape(folder, listener.url())
        client, server = raw.upgrade(w.port, listener, "/large")
        say_long = b'{"data":"' + b"x" * 32000 + b'"}'
        server.send(frames.frame(1, say_long))
        client.read_to(len(client.got) + len(say_long) + 4)
        client.close()
        server.close()
        w.stop()
    return w.tape


@pytest.fixture(scope="module")
def large(small, tmp_path_factory):
    """The same tape with its frame over and over: 256 MB, without an end."""
    data = small.read_bytes()
    unpacker = msgpack.Unpacker(max_buffer_size=0, raw=True, strict_map_key=False)
    unpacker.feed(data)
    path = tmp_path_factory.mktemp("large") / "large.wstape"
    pieces, at = [], 0
    for r in unpacker:
        piece, at = data[at:unpacker.tell()], unpacker.tell()
        pieces.append((r, piece))
    before = [p for r, p in pieces if not isinstance(r, list) or r[0] != SUMMARY]
    again = [p for r, p in pieces if isinstance(r, list) and r[0] in (FRAME, FRAME + 1)]
    block = b"".join(again) * 32
    with open(path, "wb") as f:
        f.write(b"".join(before))
        while f.tell() < LARGE:
            f.write(block)
    yield path
    path.unlink()


def run_measured(*args):
    """(exit status, peak RSS in kB). The peak that wait4 knows is no use: across exec it
    keeps that of the Python it was forked from. So the kernel's high-water mark is looked
    at again and again until the end."""
    peak = 0
    p = subprocess.Popen([binary(), *map(str, args)], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not process_ended(p.pid, 0.005):
        try:
            peak = max(peak, rss_kb(p.pid, "VmHWM"))
        except LookupError:
            break  # it has just ended
    return p.wait(), peak


@pytest.mark.parametrize("view", [(), ("--json",), ("--stats",), ("--frames",)],
                         ids=lambda v: " ".join(v) or "timeline")
def test_large_tapes_need_little_memory(large, view):
    if is_sanitized():
        view = ("--stats",)  # its memory says nothing; its time would say a lot
    status, rss = run_measured("show", large, *view)
    assert status == 0
    assert rss > 0
    assert is_sanitized() or rss < RSS_MAX_KB


def test_a_pipe_that_closes_early(large):
    show = subprocess.Popen([binary(), "show", str(large)], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    head = [show.stdout.readline() for _ in range(6)]
    assert any(b"GET /large" in line for line in head)
    show.stdout.close()
    assert process_ended(show.pid, WITHIN)
    assert show.wait() == 0
    assert show.stderr.read() == b""
    show.stderr.close()
