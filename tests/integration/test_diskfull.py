"""The tape cannot be written: a size limit, a full device, a full file system; both
policies. What was written stays readable."""

import json
import os
import resource
import signal
import subprocess

import pytest

import read_tape
from rig import frames, raw
from rig.process import Wstape, run, show
from rig.wait import until

LIMIT = 200_000
PAYLOAD = bytes(range(250)) * 8


def mount_works(folder="/mnt"):
    """True where a small tmpfs can be made: as root, outside most containers."""
    if os.geteuid() != 0:
        return False
    p = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", folder],
                       capture_output=True)
    return p.returncode == 0


MEDIA = ["limit", "tmpfs"] if mount_works() else ["limit"]


@pytest.fixture(params=MEDIA)
def medium(request, tmp_path):
    """Where a tape of about 200 kB fits: (options for Wstape, a function that makes
    room)."""
    if request.param == "limit":
        def more(w):
            hard = resource.prlimit(w.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(w.pid, resource.RLIMIT_FSIZE, (hard, hard))
        yield {"fsize": LIMIT}, more
        return
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LIMIT // 4096 * 4096}", "none",
                    folder], check=True)

    def remount(_):
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)

    yield {"output": folder / "t.wstape"}, remount
    subprocess.run(["umount", folder], check=True)


def fill(client, server):
    """Messages both ways until something else than them comes; rounds that were whole."""
    up = frames.frame(frames.BINARY, PAYLOAD, mask=frames.MASK)
    down = frames.frame(frames.BINARY, PAYLOAD)
    for i in range(1000):
        start = len(server.got), len(client.got)
        try:
            client.send(up)
            server.send(down)
        except (BrokenPipeError, ConnectionResetError):
            return i
        for end, at, want in ((server, start[0], up), (client, start[1], down)):
            while len(end.got) < at + len(want) and end.read_some():
                if end.got[at:at + 1] == b"\x88":
                    return i
            if end.got[at:at + len(want)] != want:
                return i
    raise AssertionError("the tape never got full")


def last_close(end, after):
    """The close frame that ends what `end` received; frames start at `after`."""
    at, close = after, None
    while at < len(end.got):
        found, end_at = frames.parse_one(end.got, at)
        assert found, bytes(end.got[at:at + 20])
        assert close is None, "something after the close frame"
        at = end_at
        if found[0] & 15 == frames.CLOSE:
            close = found[2]
    return close


def test_stop(record, listener, medium):
    """Default: both ends get 1011 with a reason, status 3, the tape is whole so far."""
    w = record(listener.url(), **medium[0])
    client, server = raw.upgrade(w.port, listener, "/full")
    heads = len(client.got), len(server.got)
    rounds = fill(client, server)
    for end in (client, server):
        if end.ended is None:
            end.read_end()
    for end, head in ((client, heads[0]), (server, heads[1])):
        close = last_close(end, head)
        assert close and close[:2] == (1011).to_bytes(2, "big")
        assert b"tape" in close[2:]
        end.close()
    assert w.wait() == 3
    said = w.stderr().lower()
    assert "tape" in said and ("no space left" in said or "file too large" in said), said

    assert rounds > 10
    messages = [o for o in show(w.tape) if o["record"] == "message"]
    assert len(messages) >= 2 * rounds
    with open(w.tape, "rb") as f:
        assert sum(1 for _ in read_tape.messages(f)) == len(messages)
    verified = run("verify", w.tape)
    assert verified.returncode in (0, 1), verified
    assert w.tape.stat().st_size <= LIMIT


def test_answer_to_a_client_kept_waiting(record, listener):
    """A client that spoke before it was let in gets no answer that is not on the tape."""
    w = record(listener.url(), "--fault", "accept_delay=300ms", "--fault", "status=418")
    size = w.tape.stat().st_size
    client = raw.connect(w.port)
    client.send(b"GET /early HTTP/1.1\r\nHost: h\r\n\r\n")
    size = until(lambda: w.tape.stat().st_size > size and w.tape.stat().st_size, w.tape,
                 raw.TIMEOUT, "the connection on the tape")
    hard = resource.prlimit(w.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(w.pid, resource.RLIMIT_FSIZE, (size, hard))
    client.read_end()
    assert b"418" not in client.got, bytes(client.got)
    client.close()
    assert w.wait() == 3


def test_pass(record, listener, medium):
    """pass: traffic goes on, a warning, and a gap on the tape once it can be written."""
    options, more = medium
    w = record(listener.url(), "--on-write-error", "pass", **options)
    client, server = raw.upgrade(w.port, listener, "/full")
    up = frames.frame(frames.BINARY, PAYLOAD, mask=frames.MASK)

    def pass_on(count):
        for _ in range(count):
            client.send(up)
            server.read_to(len(server.got) + len(up))
            del server.got[:-len(up)]
            assert server.got == up

    pass_on(2 * LIMIT // len(up))
    assert w.running()
    warning = w.stderr().lower()
    assert "tape" in warning and ("no space" in warning or "too large" in warning), warning
    shown = show(w.tape)
    whole = sum(o["record"] == "message" for o in shown)
    assert 50 < whole < LIMIT // len(PAYLOAD)
    more(w)
    # It tries again within a second: some traffic until records appear again.
    for _ in range(400):
        pass_on(1)
        if any(o["record"] == "gap" for o in show(w.tape)):
            break
    pass_on(5)
    client.close()
    server.close()
    w.process.send_signal(signal.SIGTERM)
    assert w.wait() == 0 and "missing" in w.stderr().lower()
    objects = show(w.tape)
    gap = [o for o in objects if o["record"] == "gap"]
    assert len(gap) == 1 and gap[0]["text"]
    kinds = [o["record"] for o in objects]
    assert "message" in kinds[kinds.index("gap"):]
    verified = run("verify", w.tape)
    said = (verified.stdout + verified.stderr).lower()
    assert "gap at byte" in said and verified.returncode in (0, 1), said


def test_full_device_from_the_start(tmp_path, listener):
    """/dev/full: nothing can be recorded, so nothing is started."""
    with pytest.raises(RuntimeError) as e:
        Wstape(tmp_path, listener.url(), output="/dev/full")
    assert "ended with 3" in str(e.value) and "no space left" in str(e.value).lower()


def test_folder_that_is_not_there(tmp_path, listener):
    with pytest.raises(RuntimeError) as e:
        Wstape(tmp_path, listener.url(), output=tmp_path / "none" / "t.wstape")
    assert "ended with 3" in str(e.value)
    assert "no such file" in str(e.value).lower() and "none" in str(e.value)


def test_http_clients_are_told(record, listener):
    """A request that can no longer be recorded is not passed on."""
    w = record(listener.url(), fsize=20_000)
    client = raw.connect(w.port)
    fields = b"".join(b"X-%d: %s\r\n" % (i, b"v" * 900) for i in range(20))
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"
    client.send(ask)
    client.send(ask)
    client.read_end()
    assert w.wait() == 3
    if client.got:
        head, _, body = bytes(client.got).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 50") and json.loads(body)["error"]
    assert [o["record"] for o in show(w.tape)][:1] == ["tape"]
