"""The guarantee: SIGKILL at random moments under load, and every byte that either side
received is on the tape. 300 rounds take a minute or two:

    WSTAPE=... python3 -m pytest -m slow tests/integration/test_crash.py

CRASH_ROUNDS and CRASH_SEED choose other numbers.
"""

import os
import random
import threading

import pytest

import read_tape
from crash_load import Load
from rig import frames, raw
from rig.process import Wstape, run, show
from rig.tape import CLIENT, SERVER, Streams, records

FEW, MANY = 40, int(os.environ.get("CRASH_ROUNDS", "300"))
SEED = int(os.environ.get("CRASH_SEED", "20240229"))


def one_round(folder, seed):
    """One start, load, kill and check; bytes received."""
    rng = random.Random(seed)
    with raw.Listener() as listener:
        w = Wstape(folder, listener.url())
        load = Load(w.port, listener, seed)
        # Anything from the first bytes of the handshakes to full streams.
        load.run(rng.choice((0.02, 0.1, 0.4)) * rng.random())
        w.kill()
        load.drain()
    check(w.tape, load, seed)
    received = sum(len(s.got) for s in load.clients + load.servers)
    w.tape.unlink()
    return received


def check(tape, load, seed):
    streams = Streams(records(tape)[1:])
    for side, ends in ((CLIENT, load.clients), (SERVER, load.servers)):
        for end in ends:
            if not end.got:
                continue
            path = end.path or end.got.split(b" ", 2)[1]
            c = streams.paths[bytes(path).decode()]
            kept = streams.went[c, side]
            is_there = kept.startswith(end.got)
            assert is_there, (
                f"seed {seed}: {'server' if side else 'client'} of {path} received "
                f"{len(end.got)} bytes, the tape has {len(kept)}")


def rounds(tmp_path, count):
    total = 0
    for i in range(count):
        total += one_round(tmp_path, SEED + i)
    assert total > count * 10000, "no load"


def test_killed(tmp_path):
    rounds(tmp_path, FEW)


@pytest.mark.slow
def test_killed_many_times(tmp_path):
    rounds(tmp_path, MANY)


def flow(source, sink, mask, stop):
    """Frames from one end to the other, in two threads, until wstape is gone."""
    data = b"".join(frames.frame(frames.BINARY, os.urandom(n), mask=mask)
                    for n in (1, 100, 5000, 70000, 0, 300))

    def send():
        try:
            while not stop.is_set():
                source.send(data)
        except OSError:
            pass

    def read():
        try:
            sink.read_end()
        except OSError:
            pass

    threads = [threading.Thread(target=f, daemon=True) for f in (send, read)]
    for t in threads:
        t.start()
    return threads


@pytest.mark.parametrize("seed", range(8))
def test_killed_with_tls(tmp_path, pki, seed):
    """The same with TLS on both legs: what was decrypted is on the tape."""
    rng, stop, threads, sinks = random.Random(seed), threading.Event(), [], []
    with raw.Listener() as listener:
        w = Wstape(tmp_path, f"wss://localhost:{listener.port}", "--upstream-ca",
                   pki.ca_file, "--tls-cert", pki.good[0], "--tls-key", pki.good[1],
                   listen="wss://127.0.0.1:0")
        for i in range(6):
            client = raw.connect(w.port, tls=pki.trusting())
            client.send(frames.request(f"/c/{i}"))
            server = listener.take(tls=pki.serving(pki.good))
            server.send(frames.response(server.read_head()))
            client.read_head()
            a, b, mask = (client, server, frames.MASK) if i % 2 else (server, client, None)
            threads += flow(a, b, mask, stop)
            sinks.append((f"/c/{i}", SERVER if i % 2 else CLIENT, b))
        stop.wait(0.2 * rng.random())  # nothing sets it: a random moment
        w.kill()
        stop.set()
        for t in threads:
            t.join(raw.TIMEOUT)
            assert not t.is_alive()
    streams = Streams(records(w.tape)[1:])
    for path, side, end in sinks:
        assert streams.went[streams.paths[path], side].startswith(end.got), path
    assert sum(len(end.got) for *_, end in sinks) > 5000


@pytest.mark.parametrize("seed", range(3))
def test_tools_read_what_is_left(tmp_path, seed):
    """show and verify take a tape without an end; verify says what is missing."""
    with raw.Listener() as listener:
        w = Wstape(tmp_path, listener.url())
        load = Load(w.port, listener, seed)
        load.run(0.3)
        w.kill()
        load.drain()
    check(w.tape, load, seed)
    objects = show(w.tape)
    assert sum(o["record"] == "connection" for o in objects) > 10
    with open(w.tape, "rb") as f:
        count = sum(kind is not None for *_, kind, _ in read_tape.messages(f))
    assert sum(o["record"] == "message" for o in objects) >= count > 0
    p = run("verify", w.tape)
    assert p.returncode in (0, 1) and p.stdout + p.stderr, p
