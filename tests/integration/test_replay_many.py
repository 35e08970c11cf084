"""Many connections at once from one tape: each has its own cursor, and gets its own."""

import json

import pytest

from dialogues import Taped, bye, client, record_dialogue, said, server, shake, text
from rig import frames, raw
from rig.process import is_sanitized, run
from rig.wait import rss_kb

AT_ONCE = 500
MESSAGES = 3
KB_A_CONNECTION = 40


def answer(path, n):
    return f'{{"type":"answer","n":{n},"of":"{path}","id":"recorded-{n}"}}'


def question(n, name):
    return f'{{"type":"question","n":{n},"id":"{name}-{n}"}}'


def dialogue(path, on):
    turns = shake(path, on=on)
    for n in range(MESSAGES):
        turns += client(text(question(n, "recorded")), on=on)
        turns += server(said(answer(path, n)), on=on)
    return turns + bye(1000, on=on) + server("fin", on=on) + client("fin", on=on)


@pytest.fixture(scope="module")
def one_path(tmp_path_factory):
    """A tape of one connection."""
    return record_dialogue(dialogue("/one", "x"), tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def all_paths(tmp_path_factory):
    """A tape of 500, each of its own path."""
    turns = [turn for n in range(AT_ONCE) for turn in dialogue(f"/{n}", str(n))]
    return record_dialogue(turns, tmp_path_factory.mktemp("all"))


class Client:
    """One of many: it asks, in step with all others, and is answered with its own id."""

    def __init__(self, port, path, name):
        self.path, self.name, self.end = path, name, raw.connect(port)
        self.end.send(frames.request(path))

    def shaken(self):
        head = self.end.read_head()
        assert head.startswith(b"HTTP/1.1 101 "), head
        self.at = len(head)

    def ask(self, n):
        self.end.send(text(question(n, self.name)))

    def hear(self, n):
        (first, _, payload), self.at = self.end.read_frame(self.at)
        expected = answer(self.path, n).replace("recorded", self.name)
        assert (first, payload.decode()) == (0x81, expected)

    def leave(self):
        self.end.send(frames.close(1000, mask=frames.MASK))
        assert self.end.read_end() == "fin"
        assert bytes(self.end.got[self.at:]) == frames.close(1000)
        self.end.close()


def crowd(backend, paths):
    """All open before the first asks, and all ask before the first hears."""
    before = rss_kb(backend.pid)
    clients = [Client(backend.port, path, f"live{n}x") for n, path in enumerate(paths)]
    for c in clients:
        c.shaken()
    for n in range(MESSAGES):
        for c in clients:
            c.ask(n)
        for c in reversed(clients):
            c.hear(n)
    grown = rss_kb(backend.pid) - before
    for c in clients:
        c.leave()
    return grown / len(clients)


def check(backend, paths):
    first = crowd(backend, paths)
    again = crowd(backend, paths)  # looped; and the memory of the first is used again
    if not is_sanitized():
        assert first < KB_A_CONNECTION, f"{first:.1f} kB a connection"
        assert again < KB_A_CONNECTION / 4, f"{again:.1f} kB a connection"
    backend.stop()
    assert "no mismatch" in backend.stderr()


def test_one_path_is_played_to_500(replay, one_path):
    check(replay(one_path, "--pace", "max", "--on-mismatch", "fail"), ["/one"] * AT_ONCE)


def test_500_paths_are_played_to_500(replay, all_paths):
    paths = [f"/{n * 7 % AT_ONCE}" for n in range(AT_ONCE)]
    check(replay(all_paths, "--pace", "max", "--on-mismatch", "fail"), paths)


def test_what_is_listed_of_500_paths(replay, all_paths):
    """100 where nothing was found, 20 at the end; the others are counted."""
    backend = replay(all_paths)
    end = raw.connect(backend.port)
    end.send(frames.request("/none"))
    end.read_end()
    end.close()
    body = json.loads(bytes(end.got).partition(b"\r\n\r\n")[2])
    assert [t["target"] for t in body["on_tape"]] == [f"/{n}" for n in range(100)]
    backend.stop()
    assert sum("not played" in line for line in backend.told()) == 20
    assert f"and {AT_ONCE - 20} more that can be asked for" in backend.told()


def test_500_copies_against_a_tape(replay, record, one_path):
    """The tape at both ends, with a recorder between them."""
    backend = replay(one_path, "--pace", "max", "--on-mismatch", "fail")
    recorder = record(backend.url(""))
    told = run("replay", one_path, "--to", recorder.url(""), "--copies", AT_ONCE,
               "--pace", "max")
    assert told.returncode == 0, told.stdout + told.stderr
    recorder.stop()
    backend.stop()
    found = Taped(recorder.tape)
    old = Taped(one_path).connections["/one", 0][1]
    assert len(found.connections) == AT_ONCE
    assert [key for key, (_, messages) in found.connections.items() if messages != old] == []
