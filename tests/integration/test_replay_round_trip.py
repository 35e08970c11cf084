"""A tape that plays the backend, and the same tape as client, with a recorder between
them: what it records is that tape again."""

import pytest

from dialogues import Taped, differences, in_threads, record_dialogue
from rig.process import Replay, Wstape, run
from round_trip_cases import CASES, LARGE, PACKED

STRICT = ["--match", "exact", "--pace", "max"]


def go(name, folder):
    """Record a dialogue, and let its tape play with itself: (the old tape, the new one)."""
    place = {part: folder / part for part in ("old", "backend", "new")}
    for each in place.values():
        each.mkdir(parents=True)
    old = record_dialogue(CASES[name], place["old"])
    backend = Replay(place["backend"], old, "--on-mismatch", "fail", *STRICT)
    recorder = Wstape(place["new"], backend.url(""), "--keep-host")
    try:
        told = run("replay", old, "--to", recorder.url(""), "--keep-host", "--timeout", "5s",
                   *STRICT, timeout=50)
        recorder.stop()
        assert told.returncode == 0, told.stdout + told.stderr
        assert finish(backend) == 0, backend.stdout() + backend.stderr()
    finally:
        for each in (backend, recorder):
            if each.running():
                each.kill()
    return Taped(old), Taped(recorder.tape)


def finish(backend):
    """Its status: 1 when something differed."""
    backend.process.terminate()
    return backend.wait()


@pytest.fixture(scope="module")
def played(request, tmp_path_factory):
    """All selected cases, some at a time, so that a test is only a comparison."""
    chosen = [item.callspec.params["name"] for item in request.session.items
              if item.parent is request.node and "name" in getattr(item, "fixturenames", ())]
    folder = tmp_path_factory.mktemp("round-trip")
    places = {name: folder / str(n) for n, name in enumerate(chosen)}
    return in_threads(lambda name: go(name, places[name]), chosen)


@pytest.mark.parametrize("name", CASES)
def test_the_new_tape_is_the_old_one(played, name):
    if isinstance(played[name], Exception):
        raise played[name]
    old, new = played[name]
    assert (old.verified.returncode, new.verified.returncode) == (0, 0)
    found = differences(old.all(name in PACKED), new.all(name in PACKED))
    assert not found, "\n".join(found)


def test_the_cases_are_what_their_names_say():
    assert len(CASES) >= 30
    assert LARGE == 16 << 20
