"""One measurement: one proxy, one load, and what it cost."""

import collections
import json
import statistics
import subprocess

import memory
import process
import proxies
import tape

# What a load is called here, how wsbench runs it, what its throughput is, by what the
# proxy's processor time is divided, how many MB of tape a second of it makes at most, and
# which legs have TLS.
Load = collections.namedtuple("Load", "name mode conns size rate unit tape tls title")


def _echo(conns, size, tls="", name=None):
    words = f"{conns} connection{'s' if conns > 1 else ''}"
    bytes_ = f"{size // 1024} KiB" if size >= 1024 else f"{size} B"
    legs = {"": "", "client": ", wss to the client", "both": ", wss on both legs"}[tls]
    name = name or f"echo{conns}{'x4k' if size == 4096 else ''}"
    return Load(name, "pingpong", conns, size, "msgs_s", "message",
                768 if size >= 1024 else 128, tls,
                f"echo, {words}, {bytes_}, one message in flight each{legs}")  # fmt: skip


def _stream(name, size, rate, unit, tls=""):
    bytes_ = f"{size // 1024} KiB" if size >= 1024 else f"{size} B"
    legs = {"": "", "client": ", wss to the client", "both": ", wss on both legs"}[tls]
    return Load(name, "stream", 4, size, rate, unit, 2048, tls,
                f"stream from the server, 4 connections, {bytes_} messages{legs}")  # fmt: skip


LOADS = [
    _echo(1, 128),
    _echo(64, 128),
    _echo(512, 128),
    _echo(4000, 128),
    _echo(1, 4096),
    _echo(64, 4096),
    _echo(512, 4096),
    Load("upload1k", "upload", 16, 1024, "msgs_s", "message", 1024, "",
         "echo, 16 connections, 1 KiB, 64 messages in flight each"),
    _stream("stream64k", 65536, "MB_s", "MB"),
    _stream("stream1k", 1024, "MB_s", "MB"),
    _stream("stream128", 128, "msgs_s", "message"),
    Load("connect", "connect", 32, 64, "conn_s", "connection", 64, "",
         "connect, upgrade, echo 64 B, reset; 32 at a time"),
    _echo(64, 128, "client", "wss1-echo64"),
    _echo(64, 128, "both", "wss2-echo64"),
    _stream("wss1-stream64k", 65536, "MB_s", "MB", "client"),
    _stream("wss2-stream64k", 65536, "MB_s", "MB", "both"),
    Load("idle", "idle", 8000, 128, None, "connection", 64, "",
         "idle connections, memory of the proxy"),
]  # fmt: skip


def takes(load, name):
    """Whether a proxy has a place in a load."""
    if load.tls:
        return name in proxies.Proxies.TLS
    if load.mode == "idle":
        return name not in ("direct", "nginx tcpdump", "mitmproxy", "wstape rules")
    return load.conns < 4000 or name not in ("mitmproxy", "nginx tcpdump")


# What of its run wsbench does not measure, seconds: it warms up.
WARM_SECONDS = 0.2


class LoadFailed(Exception):
    pass


def run_wsbench(argv, pid=None):
    """The result of a load, with cpu_us, what the process `pid` and its family used of
    processor time while it was measured."""
    at = {}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as run:  # fmt: skip
        for line in run.stdout:
            if line.startswith("{"):
                result = json.loads(line)
            elif pid:
                at[line.strip()] = process.cpu_us(pid)
        error = run.stderr.read().strip()
    if run.returncode != 0:
        raise LoadFailed(error)
    if pid:
        result["cpu_us"] = at["measured"] - at["measuring"]
    return result


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
        words = ["json"] + (["tls"] if load.tls else [])
        return [self.wsbench, "load", str(port), load.mode, str(conns),
                str(load.size), str(seconds), *words]  # fmt: skip

    def _load(self, port, load, seconds, pid=None):
        return run_wsbench(self._argv(port, load, load.conns, seconds), pid)

    def run(self, name, load):
        """Start the proxy, put the load on it, stop it, look at its tape: one result."""
        seconds = WARM_SECONDS + self._seconds(load)
        self.reserve.hold(int(load.tape * seconds * 1e6))
        if load.mode == "idle":
            return self._run_idle(name, load)
        result, proxy = self._run_timed(name, load)
        if name in ("wstape", "wstape rules"):
            result["tape"] = _check_tape(self.proxies.tape, load, result)
            result["lost"] = result["tape"]["lost"]
        elif name == "nginx tcpdump":
            result["lost"] = proxy.lost_share()
        elif name == "mitmproxy":
            result["lost"] = _lost_flows(self.proxies.tape, result)
        self.proxies.tape.unlink(missing_ok=True)
        return result

    def record(self, load):
        """Leave a tape of the load behind; its size."""
        self.reserve.hold(int(load.tape * self._seconds(load) * 1e6))
        with self.proxies.start("wstape") as proxy:
            self.reserve.release()
            self._load(proxy.port, load, self._seconds(load))
        return self.proxies.tape.stat().st_size

    def _run_timed(self, name, load):
        with self.proxies.start(name, load.tls) as proxy:
            self.reserve.release()
            result = self._load(proxy.port, load, self._seconds(load), proxy.pid)
            if proxy.pid:
                result["peak_rss"] = process.peak_rss_bytes(proxy.pid)
                units = _units(load, result)
                if units > 0:  # else nothing came back in time: no figure
                    result["cpu_per"] = result["cpu_us"] / units
        return result, proxy

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
        "message": result["received_in_time"],
        "MB": result["received_in_time"] * load.size / 1e6,
        "connection": result["opened_in_time"],
    }[load.unit]
    return count


def _check_tape(path, load, result):
    """What should be on the tape and what is. A stream's client leaves in the middle, so
    that more may have passed than it counted."""
    sent, received = result["sent"], result["received"]
    on_tape = tape.count_frames(path)
    client, server = on_tape["client"], on_tape["server"]
    if load.mode == "stream":
        complete = client.frames == sent and server.frames >= received
        complete = complete and server.payload_bytes >= received * load.size
    else:
        complete = (client.frames, server.frames) == (sent, received)
        complete = complete and server.payload_bytes == received * load.size
    passed = sent + received
    return {
        "complete": complete,
        "lost": max(0, passed - client.frames - server.frames) / max(1, passed),
        "sent": sent,
        "received": received,
        "from_client": client.frames,
        "from_server": server.frames,
        "bytes": path.stat().st_size,
    }


def _lost_flows(path, result):
    """The share of the messages that mitmproxy's file lacks."""
    from mitmproxy import io

    passed = result["sent"] + result["received"]
    with open(path, "rb") as f:
        on_file = sum(len(flow.websocket.messages) for flow in io.FlowReader(f).stream()
                      if flow.websocket is not None)  # fmt: skip
    return max(0, passed - on_file) / passed if passed else 0


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
