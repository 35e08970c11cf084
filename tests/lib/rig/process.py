"""wstape as a process: started, waited for, stopped and checked."""

import json
import os
import re
import resource
import select
import signal
import subprocess
import time
from pathlib import Path

from .wait import Watch, process_ended, until

ROOT = Path(__file__).resolve().parents[3]
START_WITHIN = 20
STOP_WITHIN = 20
BROKEN = re.compile(r"Sanitizer|runtime error:|Assertion .* failed", re.I)


def binary():
    found = os.path.abspath(os.environ.get("WSTAPE") or ROOT / "build/cli/wstape")
    if not os.access(found, os.X_OK):
        raise FileNotFoundError(f"no wstape binary at {found}: set WSTAPE, or build first")
    return found


def is_sanitized():
    return b"__asan_init" in Path(binary()).read_bytes()


def run(*args, timeout=60, text=True, **kw):
    """Run wstape to its end. Bytes that are not UTF-8 come as surrogates."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    if text:
        kw.update(encoding="utf-8", errors="surrogateescape")
    return subprocess.run([binary(), *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, **kw)


def show(tape, *args, status=0):
    """The objects of `wstape show --json`."""
    p = run("show", "--json", *args, tape)
    assert p.returncode == status, (p.returncode, p.stderr)
    assert not BROKEN.search(p.stderr), p.stderr
    return [json.loads(line) for line in p.stdout.splitlines()]


class Wstape:
    """One `wstape record` (or another command that takes --port-file)."""

    def __init__(self, folder, upstream, *args, listen="ws://127.0.0.1:0", output=None,
                 verb="record", **kw):
        self.folder = Path(folder)
        self.tape = Path(output) if output else self.folder / "t.wstape"
        self._start([verb, "-u", upstream, "-l", listen,
                     "-o", str(output) if output else str(self.tape), *args], **kw)

    def _start(self, args, env=None, nofile=None, fsize=None, command=None,
               stdout=subprocess.DEVNULL):
        self.port_file = self.folder / "port"
        self.stderr_file = self.folder / "stderr.txt"
        self.port_file.unlink(missing_ok=True)
        argv = [binary(), *map(str, args)]
        argv[2:2] = ["--port-file", str(self.port_file)]
        if command:
            argv += ["--", *map(str, command)]

        def limits():
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))
            if fsize:
                hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                resource.setrlimit(resource.RLIMIT_FSIZE, (fsize, hard))

        with Watch(self.folder) as watch, open(self.stderr_file, "wb") as err:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=err,
                cwd=self.folder, env={**os.environ, **(env or {})},
                preexec_fn=limits if nofile or fsize else None)
            self.pid = self.process.pid
            self.port = self._wait_for_port(watch)

    def _wait_for_port(self, watch):
        end = time.monotonic() + START_WITHIN
        pidfd = os.pidfd_open(self.pid)
        try:
            while True:
                text = self.port_file.read_text() if self.port_file.exists() else ""
                if text.strip():
                    return int(text)
                p = select.poll()
                p.register(watch.fd, select.POLLIN)
                p.register(pidfd, select.POLLIN)
                got = [fd for fd, _ in p.poll(max(0, end - time.monotonic()) * 1000)]
                if pidfd in got and not self.port_file.exists():
                    raise RuntimeError(f"wstape ended with {self.process.wait()} before "
                                       f"it was ready: {self.stderr()}")
                if not got:
                    self.process.kill()
                    raise TimeoutError(f"no port file in {START_WITHIN} s: {self.stderr()}")
                watch.drain()
        finally:
            os.close(pidfd)

    def stderr(self):
        return self.stderr_file.read_text(encoding="utf-8", errors="surrogateescape")

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=STOP_WITHIN):
        """The exit status, once the process has ended by itself."""
        if self.running() and not process_ended(self.pid, timeout):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still running after {timeout} s: {self.stderr()}")
        status = self.process.wait()
        assert not BROKEN.search(self.stderr()), self.stderr()
        return status

    def stop(self, expect=0, how=signal.SIGTERM):
        """Stop in order; the status must be `expect`."""
        if self.running():
            self.process.send_signal(how)
        status = self.wait()
        assert status == expect, (status, self.stderr())
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()

    def url(self, path="/", scheme="ws", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}{path}"

    def show(self, *args, status=0):
        return Shown(show(self.tape, *args, status=status))


class Replay(Wstape):
    """One `wstape replay` that listens; what it prints is in a file."""

    def __init__(self, folder, tape, *args, listen="ws://127.0.0.1:0", **kw):
        self.folder, self.tape = Path(folder), Path(tape)
        self.stdout_file = self.folder / "stdout.txt"
        with open(self.stdout_file, "wb") as out:
            self._start(["replay", tape, "-l", listen, *args], stdout=out, **kw)

    def stdout(self):
        return self.stdout_file.read_text(encoding="utf-8", errors="surrogateescape")

    def objects(self):
        """What --json printed."""
        return [json.loads(line) for line in self.stdout().splitlines()]

    def told(self):
        """What it said so far, without its name."""
        return [x.removeprefix("wstape: ") for x in self.stderr().splitlines()]

    def tells(self, text, timeout=START_WITHIN):
        """The first line about what it plays with this text, once it is there."""
        def line():
            return next((x for x in self.told() if text in x), None)

        try:
            return until(line, self.folder, timeout, text)
        except TimeoutError as e:
            raise AssertionError(f"{e}: {self.stdout()} {self.stderr()}") from None


class Shown:
    """What `show --json` printed, by kind and connection."""

    def __init__(self, objects):
        self.objects = objects

    def all(self, record, **fields):
        return [o for o in self.objects if o["record"] == record
                and all(o.get(k) == v for k, v in fields.items())]

    def one(self, record, **fields):
        got = self.all(record, **fields)
        assert len(got) == 1, (record, fields, got)
        return got[0]

    def connection(self, path):
        """The number of the one connection whose path is `path`."""
        return self.one("connection", path=path)["connection"]
