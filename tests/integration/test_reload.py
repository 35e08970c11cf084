"""Rule files from outside: bad ones stop everything, SIGHUP reads them again, and the
summary names what never acted."""

import re
import signal

import pytest

from rig import frames, raw
from rig.faults import faults_of
from rig.process import run
from rig.wait import until

BAD = """\
faults:
  - when: {from: server}
    drop_feild: tool_name
  - drop_field: a
    when: {opcode: ping}
  - refuse: true
    when: {message: 3}
  - close: {code: 5, reason: x}
  - delay: soon
  - when: {from: nobody}
"""


def rule(text):
    return f"faults:\n  - {{replace: {text}, name: {text}, when: {{from: server}}}}\n"


class Reloaded:
    """A wstape with a rule file that changes."""

    def __init__(self, inject, listener, folder, text, **kw):
        self.file = folder / "faults.yaml"
        self.file.write_text(text)
        self.w = inject(listener.url(), args=("--faults", self.file), **kw)
        self.listener = listener

    def change(self, text, says, times=1):
        """Write another file and send SIGHUP; wait until stderr says so."""
        self.file.write_text(text)
        before = len(self.w.stderr())
        self.w.process.send_signal(signal.SIGHUP)
        until(lambda: len(re.findall(says, self.w.stderr()[before:])) >= times,
              self.w.folder, 20, says)
        return self.w.stderr()[before:]

    def open(self):
        client, server = raw.upgrade(self.w.port, self.listener)
        client.at = len(client.got)
        return client, server


def said(pair, text=b"x"):
    """What a message of the server becomes."""
    client, server = pair
    server.send(frames.frame(frames.TEXT, text))
    (_, _, payload), client.at = client.read_frame(client.at)
    return payload


@pytest.fixture
def reloaded(inject, listener, tmp_path):
    return lambda text, **kw: Reloaded(inject, listener, tmp_path, text, **kw)


def close(*pairs):
    for pair in pairs:
        for end in pair:
            end.close()


@pytest.mark.sanitize
def test_reload(reloaded):
    """New rules hold for connections that are open, and for new ones."""
    r = reloaded(rule("one"))
    pair = r.open()
    assert said(pair) == b"one"
    r.change(rule("two"), "SIGHUP: 1 rule")
    new = r.open()
    assert said(pair) == said(new) == b"two"
    r.change("faults: []\n", "SIGHUP: 0 rules")
    third = r.open()
    assert said(pair) == said(new) == said(third) == b"x"
    r.change(rule("four"), "SIGHUP: 1 rule")
    fourth = r.open()
    assert said(fourth) == b"four"
    close(pair, new, third, fourth)


@pytest.mark.sanitize
@pytest.mark.parametrize("bad", [BAD, "faults: [", "", "seed: x\n", "\xff not YAML: {"])
def test_a_bad_file_changes_nothing(bad, reloaded):
    r = reloaded(rule("one"))
    pair = r.open()
    assert said(pair) == b"one"
    told = r.change(bad, "the rules stay as they were")
    assert said(pair) == b"one"
    if bad == BAD:
        assert f"{r.file}:3:5: " in told and "did you mean drop_field" in told
    r.change(rule("two"), "SIGHUP: 1 rule")
    assert said(pair) == b"two"
    close(pair)


def test_a_file_that_is_gone(reloaded):
    r = reloaded(rule("one"))
    pair = r.open()
    r.file.unlink()
    before = len(r.w.stderr())
    r.w.process.send_signal(signal.SIGHUP)
    until(lambda: "stay as they were" in r.w.stderr()[before:], r.w.folder, 20, "words")
    assert "No such file" in r.w.stderr()
    assert said(pair) == b"one"
    close(pair)


def test_counts_go_on(reloaded):
    """A budget is not filled up again when a rule keeps its name."""
    text = "faults:\n  - {name: n, replace: hit, times: 2, when: {from: server}}\n"
    r = reloaded(text)
    pair = r.open()
    assert said(pair) == b"hit"
    r.change(text + "  - {name: m, drop: true, when: {from: client}}\n", "SIGHUP: 2 rules")
    assert [said(pair), said(pair)] == [b"hit", b"x"]
    close(pair)


def test_refused_until_told(reloaded):
    """Nothing listens until other rules come, and then again nothing."""
    r = reloaded("faults:\n  - {refuse: true, when: {time: 0s..}}\n")
    with pytest.raises(ConnectionRefusedError):
        raw.connect(r.w.port)
    r.change("faults:\n  - {drop: true, when: {from: client}}\n", "SIGHUP: 1 rule")
    pair = r.open()
    assert said(pair) == b"x"
    r.change("faults:\n  - {refuse: true, when: {time: 0s..}}\n", "SIGHUP: 1 rule")
    with pytest.raises(ConnectionRefusedError):
        raw.connect(r.w.port)
    assert said(pair) == b"x", "what is open stays open"
    close(pair)


@pytest.mark.parametrize("time", ["0s..", "0s..1h"])
def test_stopped_while_it_refuses(time, inject, listener):
    w = inject(listener.url(), f"refuse,time={time}")
    with pytest.raises(ConnectionRefusedError):
        raw.connect(w.port)
    w.stop()
    assert "NEVER" not in w.stderr()


def test_messages_are_held_by_rules_that_came_later(reloaded):
    """A connection that no rule cared for when it opened."""
    r = reloaded("faults:\n  - {drop: true, when: {path: /other}}\n")
    pair = r.open()
    assert said(pair) == b"x"
    r.change(rule("new"), "SIGHUP: 1 rule")
    assert said(pair) == b"new"
    close(pair)


def test_numbers_go_on(reloaded):
    """Messages are counted whether a rule cares for them or not."""
    r = reloaded("faults:\n  - {drop: true, when: {path: /other}}\n")
    pair = r.open()
    for _ in range(5):
        assert said(pair) == b"x"
    r.change("faults:\n  - {replace: hit, when: {from: server, message: 7}}\n",
             "SIGHUP: 1 rule")
    assert [said(pair) for _ in range(3)] == [b"x", b"hit", b"x"]
    close(pair)
    r.w.stop()
    assert [f.message for f in faults_of(r.w.tape)] == [7]


def test_reload_while_a_message_is_held(reloaded):
    """The old rules' acts that are under way end as they began."""
    r = reloaded("faults:\n  - {name: late, delay: 800ms, when: {from: server}}\n"
                 "  - {name: n, close: 1011, when: {from: client, text: bye}}\n")
    pair = r.open()
    client, server = pair
    server.send(frames.frame(frames.TEXT, b"a"))
    client.send(frames.frame(frames.TEXT, b"hello", mask=frames.MASK))
    server.read_frame(len(server.read_head()))
    r.change(rule("new"), "SIGHUP: 1 rule")
    (_, _, payload), client.at = client.read_frame(client.at)
    assert payload == b"a"
    assert said(pair) == b"new"
    close(pair)


# ---- what is bad from the start ----


@pytest.mark.sanitize
@pytest.mark.parametrize("verb", ["record", "inject"])
def test_bad_rules_stop_it_before_anything_listens(verb, tmp_path):
    """All errors at once, status 2, no port, no tape."""
    (tmp_path / "bad.yaml").write_text(BAD)
    tape, port = tmp_path / "t.wstape", tmp_path / "port"
    done = run(verb, "-u", "ws://127.0.0.1:1", "-l", "ws://127.0.0.1:0", "--faults",
               "bad.yaml", "--fault", "dorp", "-o", tape, "--port-file", port,
               cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert not tape.exists() and not port.exists()
    places = re.findall(r"^bad\.yaml:(\d+):(\d+): (.*)", done.stderr, re.MULTILINE)
    assert {int(line) for line, _, _ in places} >= {3, 5, 7, 8, 9, 10}
    assert ("3", "5") in [p[:2] for p in places]
    assert "did you mean drop_field?" in done.stderr
    assert "did you mean drop?" in done.stderr
    assert re.search(r"^wstape: .*\b\d+ errors? in the rules", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("args", [
    ("--faults", "missing.yaml"), ("--fault", "close=1005"), ("--fault", "drop,from=me"),
    ("--fault", "drop_field=$.a[?(@)]"), ("--fault", ""), ("--fault", "refuse,message=1"),
    ("--fault", "drop,drop_field=a"), ("--fault", "from=server"),
    ("--fault", "drop_field=a,opcode=ping"), ("--fault", "drop,probability=2"),
    ("--fault", "drop,text=("), ("--fault", "drop,after=nobody"),
    ("--fault", "replace,file=missing.json"), ("--fault", "tls=expired,message=2"),
    ("--fault", "drop", "--seed", "x"), ("--seed", "1"), ()])
def test_usage(args, tmp_path):
    done = run("inject", "-u", "ws://127.0.0.1:1", "-l", "ws://127.0.0.1:0", *args,
               cwd=tmp_path)
    assert done.returncode == 2, (args, done.stderr)
    assert done.stderr.startswith(("wstape: ", "--fault:")), done.stderr


def test_tls_needs_tls(tmp_path):
    """A certificate cannot be wrong where there is none."""
    done = run("inject", "-u", "ws://127.0.0.1:1", "-l", "ws://127.0.0.1:0", "--fault",
               "tls=expired", "--", "true", cwd=tmp_path)
    assert done.returncode == 2 and "wss://" in done.stderr, done.stderr


# ---- the summary ----


def test_the_summary_names_what_never_acted(inject, listener):
    w = inject(listener.url(), "drop,from=server,text=b,name=hits",
               "drop,from=server,text=never,name=misses", "replace=x,connection=7",
               "drop_field=a,from=client,name=cannot")
    pair = raw.upgrade(w.port, listener)
    client, server = pair
    client.at = len(client.got)
    server.send(frames.frame(frames.TEXT, b"b"))
    server.send(frames.frame(frames.TEXT, b"b"))
    assert said(pair, b"a") == b"a"
    client.send(frames.frame(frames.TEXT, b"{}", mask=frames.MASK))
    server.read_frame(len(server.read_head()))
    close(pair)
    w.stop()
    told = w.stderr()
    assert re.search(r'"hits".* 2 times', told), told
    for name in ("misses", "replace-[0-9a-f]+", "cannot"):
        assert re.search(rf'"{name}".* NEVER', told), told
    assert not re.search(r'"hits".*NEVER', told)


def test_without_a_tape(listener, inject, tmp_path):
    """inject writes one only when it is asked to."""
    before = set(tmp_path.iterdir())
    done = run("inject", "-u", listener.url(), "-l", "ws://127.0.0.1:0", "--fault", "drop",
               "--", "true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(tmp_path.iterdir()) == before
