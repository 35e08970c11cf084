"""Fixtures of the tests that use the wstape binary from outside."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))

from rig import certs, raw  # noqa: E402  (the path is set above)
from rig.process import Replay, Wstape  # noqa: E402


def stop_all(started):
    """Stop what still runs: it must end with status 0."""
    failures = []
    for w in started:
        try:
            if w.running():
                w.stop()
        except AssertionError as e:
            failures.append(e)
    assert not failures, failures


@pytest.fixture
def record(tmp_path):
    """Start `wstape record`: record(upstream, *args, ...) -> Wstape. What still runs at
    the end is stopped and must end with status 0."""
    started = []

    def start(upstream, *args, **kw):
        folder = tmp_path / f"w{len(started)}"
        folder.mkdir()
        w = Wstape(folder, upstream, *args, **kw)
        started.append(w)
        return w

    yield start
    stop_all(started)


@pytest.fixture
def replay(tmp_path):
    """Start `wstape replay` that listens: replay(tape, *args, ...) -> Replay. Stopped at
    the end as `record` is."""
    started = []

    def start(tape, *args, **kw):
        folder = tmp_path / f"p{len(started)}"
        folder.mkdir()
        w = Replay(folder, tape, *args, **kw)
        started.append(w)
        return w

    yield start
    stop_all(started)


@pytest.fixture
def inject(record, tmp_path):
    """Start `wstape inject`: inject(upstream, rule, ..., **kw) -> Wstape. A rule is a line
    for --fault, or a whole rule file, when it has more than one line."""

    def start(upstream, *rules, args=(), **kw):
        for n, rule in enumerate(rules):
            if "\n" in rule:
                path = tmp_path / f"faults-{n}.yaml"
                path.write_text(rule)
                args = (*args, "--faults", path)
            else:
                args = (*args, "--fault", rule)
        return record(upstream, *args, verb="inject", **kw)

    return start


@pytest.fixture
def listener():
    with raw.Listener() as one:
        yield one


@pytest.fixture
def echo_server():
    with raw.EchoServer() as one:
        yield one


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """Certificates for all tests: see rig/certs."""
    return certs.Pki(tmp_path_factory.mktemp("pki"))
