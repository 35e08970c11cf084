"""One measurement: one proxy, one load, and what it cost."""

import collections
import json
import statistics
import subprocess

import memory
import process
import tape

# What a load is called here, how wsbench runs it, what its throughput is, by what the
# proxy's processor time is divided, and how many MB of tape a second of it makes at most.
Load = collections.namedtuple("Load", "name mode conns size rate unit tape title")

LOADS = [
    Load("echo1", "pingpong", 1, 128, "msgs_s", "message", 32,
         "echo, 1 connection, 128 B, one message in flight"),
    Load("echo64", "pingpong", 64, 128, "msgs_s", "message", 128,
         "echo, 64 connections, 128 B, one message in flight each"),
    Load("echo64x4k", "pingpong", 64, 4096, "msgs_s", "message", 768,
         "echo, 64 connections, 4 KiB, one message in flight each"),
    Load("upload1k", "upload", 16, 1024, "msgs_s", "message", 1024,
         "echo, 16 connections, 1 KiB, 64 messages in flight each"),
    Load("stream64k", "stream", 4, 65536, "MB_s", "MB", 2048,
         "stream from the server, 4 connections, 64 KiB messages"),
    Load("stream1k", "stream", 4, 1024, "MB_s", "MB", 2048,
         "stream from the server, 4 connections, 1 KiB messages"),
    Load("stream128", "stream", 4, 128, "msgs_s", "message", 2048,
         "stream from the server, 4 connections, 128 B messages"),
    Load("connect", "connect", 32, 64, "conn_s", "connection", 64,
         "connect, upgrade, echo 64 B, reset; 32 at a time"),
    Load("idle", "idle", 8000, 128, None, "connection", 64,
         "idle connections, memory of the proxy"),
]  # fmt: skip

WARM_SECONDS = 0.2


class LoadFailed(Exception):
    pass


class Bench:
    """Runs wsbench against proxies."""

    def __init__(self, tools, proxies, seconds, idle_connections):
        self.wsbench = str(tools / "wsbench")
        self.proxies = proxies
        self.seconds = seconds
        self.idle_connections = idle_connections
        self.reserve = memory.Reserve()

    def _seconds(self, load):
        """Streams make long tapes; they end before the kernel starts writing back."""
        return self.seconds / 2 if load.mode == "stream" else self.seconds

    def _argv(self, port, load, conns, seconds):
        return [self.wsbench, "load", str(port), load.mode, str(conns),
                str(load.size), str(seconds)]  # fmt: skip

    def _load(self, port, load, seconds):
        argv = self._argv(port, load, load.conns, seconds)
        run = subprocess.run(argv, capture_output=True, text=True)
        if run.returncode != 0:
            raise LoadFailed(run.stderr.strip())
        return json.loads(run.stdout)

    def run(self, name, load):
        """Start the proxy, put the load on it, stop it, look at its tape: one result."""
        seconds = WARM_SECONDS + self._seconds(load)
        self.reserve.hold(int(load.tape * seconds * 1e6))
        if load.mode == "idle":
            return self._run_idle(name, load)
        result, loads = self._run_timed(name, load)
        if name == "wstape":
            result["tape"] = _check_tape(self.proxies.tape, load, loads)
        self.proxies.tape.unlink(missing_ok=True)
        return result

    def _run_timed(self, name, load):
        with self.proxies.start(name) as proxy:
            self.reserve.release()
            warm = self._load(proxy.port, load, WARM_SECONDS)
            before = process.cpu_us(proxy.pid) if proxy.pid else 0
            result = self._load(proxy.port, load, self._seconds(load))
            if proxy.pid:
                result["cpu_us"] = process.cpu_us(proxy.pid) - before
                result["peak_rss"] = process.peak_rss_bytes(proxy.pid)
                result["cpu_per"] = result["cpu_us"] / _units(load, result)
        return result, [warm, result]

    def _run_idle(self, name, load):
        with self.proxies.start(name) as proxy:
            self.reserve.release()
            echo = next(one for one in LOADS if one.name == "echo1")
            self._load(proxy.port, echo, 0.05)
            before = process.rss_bytes(proxy.pid)
            argv = self._argv(proxy.port, load, self.idle_connections, 3600)
            with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as client:
                result = json.loads(client.stdout.readline())
                grown = process.rss_bytes(proxy.pid) - before
                client.terminate()
        if result["opened"] == 0:
            raise LoadFailed(f"{name}: no idle connection could be opened")
        result["bytes_per"] = grown / result["opened"]
        result["peak_rss"] = before + grown
        self.proxies.tape.unlink(missing_ok=True)
        return result


def _units(load, result):
    count = {
        "message": result["received"],
        "MB": result["received"] * load.size / 1e6,
        "connection": result["opened"],
    }[load.unit]
    if count == 0:
        raise LoadFailed(f"{load.name}: nothing came back")
    return count


def _check_tape(path, load, results):
    """What should be on the tape and what is. A stream's client leaves in the middle, so
    that more may have passed than it counted."""
    sent = sum(r["sent"] for r in results)
    received = sum(r["received"] for r in results)
    on_tape = tape.count_frames(path)
    client, server = on_tape["client"], on_tape["server"]
    if load.mode == "stream":
        complete = client.frames == sent and server.frames >= received
        complete = complete and server.payload_bytes >= received * load.size
    else:
        complete = (client.frames, server.frames) == (sent, received)
        complete = complete and server.payload_bytes == received * load.size
    return {
        "complete": complete,
        "sent": sent,
        "received": received,
        "from_client": client.frames,
        "from_server": server.frames,
        "bytes": path.stat().st_size,
    }


def medians(results):
    """The median of each number over rounds."""
    keys = {k for r in results for k, v in r.items() if isinstance(v, (int, float))}
    return {k: statistics.median(r[k] for r in results if k in r) for k in keys}


def ratio(results, others, key):
    """The median over rounds of ours by theirs, each round by itself, because the machine
    is not equally fast in all; None when one of them has no such number."""
    pairs = [(a[key], b[key]) for a, b in zip(results, others) if key in a and key in b]
    if not pairs or any(theirs == 0 for _, theirs in pairs):
        return None
    return statistics.median(ours / theirs for ours, theirs in pairs)
