"""Both ends see the same whether wstape stands between them or not, for every case of the
corpus: recorded, and with rules present that never hold."""

import asyncio
import re

import pytest

import corpus
from playing import OTHER, PLAY, Hub, play_all
from rig.process import Wstape
from speaking import with_rules
from tapes import Tape

CASES = {case.name: case for case in corpus.read()}
WAYS = ["record", "rules"]
# Rules that look at every message there is, and at heads and closes; none ever holds.
RULES = ["drop,text=nobody ever says this", "drop_field=x,json.type=nobody",
         "corrupt=4,size=1G..", "drop,opcode=[ping,pong,close],message=1000000",
         "duplicate=2,from=server,message=1000000..", "status=503,path=/elsewhere/*",
         "delay=1s,after=nothing", "drop,text=nor this,probability=0.5,name=nothing"]


def real_ends(case):
    """Whose ends a case can be played to: they only hear a, and offer what they like."""
    if case.scripted_only:
        return []
    return ["real server"] if case.offer else ["real server", "real client"]


PLAYED = [(name, part) for name, case in CASES.items()
          for part in ["client", "server", *real_ends(case)]]


def path_of(name, part):
    return f"/{list(CASES).index(name)}/{part.replace(' ', '-')}"


class Recorder:
    """wstape in front of both kinds of backend of a hub, and its two tapes."""

    def __init__(self, way, folder, hub):
        options = {"verb": "record"}
        args = []
        if way == "rules":
            options = {"verb": "inject"}
            args = [word for rule in RULES for word in ("--fault", rule)]
        self.started = {}
        for kind, port in hub.ports.items():
            place = folder / f"{way}-{kind}"
            place.mkdir()
            self.started[kind] = Wstape(place, f"ws://127.0.0.1:{port}", *args, **options)
        hub.ports = {kind: w.port for kind, w in self.started.items()}

    def stop(self):
        for w in self.started.values():
            w.stop()
        return {kind: Tape(w.tape) for kind, w in self.started.items()}


async def go(way, folder, wanted):
    """Play all cases one way; (what was seen, the tapes)."""
    hub = Hub()
    await hub.start()
    recorder = None if way == "direct" else Recorder(way, folder, hub)
    found = await play_all(hub, wanted)
    await hub.stop()
    return found, recorder.stop() if recorder else {}


@pytest.fixture(scope="module")
def played(request, tmp_path_factory):
    """All selected cases, played all ways: {way: (found, tapes)}. They run at once, so a
    test is only a comparison."""
    chosen = {item.callspec.params.get("played_case")
              for item in request.session.items if hasattr(item, "callspec")}
    wanted = [(CASES[name], part, path_of(name, part)) for name, part in PLAYED
              if (name, part) in chosen]
    folder = tmp_path_factory.mktemp("conformance")
    return {way: asyncio.run(go(way, folder, wanted)) for way in ["direct", *WAYS]}


def result(played, way, key):
    found = played[way][0][key]
    if isinstance(found, Exception):
        raise AssertionError(f"{CASES[key[0]].place}, {way}: {found!r}") from found
    return found


def expected(direct, way, part):
    """What the ends of the direct run must see when they meet another way: the same."""
    if way == "rules" and part in ("client", "server"):
        return {side: {**saw, "frames": with_rules(saw["frames"])}
                for side, saw in direct.items()}
    return direct


def passed(tape, way, connection, side):
    """What went out to a side, by its tape."""
    went = tape.went(connection, side)
    if way == "record":
        return went
    head, empty, frames = went.partition(b"\r\n\r\n")
    return head + empty + with_rules(frames)


def check_tape(tape, way, case, part, kept):
    """The tape has the bytes and the frames of each scripted end, and names what a broke,
    and nothing else."""
    c = tape.streams.paths[path_of(case.name, part)]
    for side in {"client", "server"} & set(kept):
        assert tape.came(c, side) == kept[side]["sent"]
        assert passed(tape, way, c, side) == kept[side]["got"]
    for side, frames in kept["frames"].items():
        assert tape.frames.get((c, side), []) == frames
    a = {"real server": "client", "real client": "server"}.get(part, part)
    assert tape.breaches(c, a) == case.breaches(a)
    assert tape.breaches(c, OTHER[a]) == set()
    if "messages" in kept and not case.breaks and not case.undecoded:
        for side, messages in kept["messages"].items():
            assert tape.messages.get((c, side), []) == messages


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("played_case", PLAYED, ids=" - ".join)
def test_the_same(played, played_case, way):
    name, part = played_case
    direct, _ = result(played, "direct", played_case)
    through, kept = result(played, way, played_case)
    assert through == expected(direct, way, part)
    tape = played[way][1]["real" if part == "real server" else "scripted"]
    check_tape(tape, way, CASES[name], part, kept)


@pytest.mark.parametrize("way", WAYS)
def test_tapes_are_sound(played, way):
    for tape in played[way][1].values():
        assert tape.verified.returncode == 0, tape.verified.stdout
        assert tape.acts == []


def test_the_corpus_counts_itself():
    names = [case.name for case in corpus.read()]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]
    assert len(names) >= 250
    assert all(case.steps for case in CASES.values())
    assert not [n for n in names if re.search(r"[{}]", n)]
