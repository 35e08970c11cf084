"""Every dialogue of the corpus, recorded to one tape, which then plays with itself: the
backend, the client, and a recorder between them, whose tape is the first one again."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

import corpus  # noqa: E402  (the path is set above)
from dialogues import SIDES, Taped, differences  # noqa: E402
from playing import Hub, play_all  # noqa: E402
from rig.process import Replay, Wstape, run  # noqa: E402

CASES = list(corpus.read())
PLAYED = {f"/{n}/{part}": case for n, case in enumerate(CASES) for part in SIDES}
# Of two close frames the client says the first.
SAID_ONCE = {"another close behind the close", "two closes with two codes"}
# Whether the close is answered before the RST is known is chance.
CHANCE = {"RST after a close"}
# The recorded server did not do what the client asked of it; the tape does.
HEEDED = {"several offers, and the second is taken"}


async def record(folder):
    """The tape of all scripted dialogues."""
    hub = Hub()
    await hub.start()
    w = Wstape(folder, f"ws://127.0.0.1:{hub.ports['scripted']}", "--keep-host")
    hub.ports["scripted"] = w.port
    wanted = [(case, path.rpartition("/")[2], path) for path, case in PLAYED.items()]
    found = await play_all(hub, wanted)
    await hub.stop()
    w.stop()
    assert [f for f in found.values() if isinstance(f, Exception)] == []
    return w.tape


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """(the old tape, the new one, what the client told)."""
    place = {name: tmp_path_factory.mktemp(name) for name in ("old", "backend", "new")}
    old = asyncio.run(record(place["old"]))
    options = ["--pace", "max", "--match", "exact"]
    backend = Replay(place["backend"], old, *options)
    recorder = Wstape(place["new"], backend.url(""), "--keep-host")
    told = run("replay", old, "--to", recorder.url(""), "--keep-host", *options)
    recorder.stop()
    backend.stop()
    return Taped(old, shows=False), Taped(recorder.tape, shows=False), told


def said(taped, path, packed):
    """What a connection has of both ends. Pings are answered as they come, which is not
    compared here."""
    told = taped.one((path, 0), packed)
    del told["answers"]
    if PLAYED[path].name in SAID_ONCE:
        for part in told.values():
            if isinstance(part, dict):
                part.pop("client", None)
    return told


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: PLAYED[path].name + path)
def test_the_new_tape_is_the_old_one(played, path):
    old, new, _ = played
    packed = bool(PLAYED[path].answer)
    if PLAYED[path].name in CHANCE:
        assert said(new, path, packed)["ends"][0] == said(old, path, packed)["ends"][0]
        return
    found = differences(said(old, path, packed), said(new, path, packed))
    assert not found, PLAYED[path].place + "\n" + "\n".join(found)


def test_the_client_finds_no_difference(played):
    _, _, told = played
    found = [line for line in told.stdout.splitlines()
             if line.startswith("connection ") and "as on the tape" not in line]
    assert all("server_max_window_bits" in line for line in found), "\n".join(found)
    assert len(found) == 2 * len(HEEDED)
