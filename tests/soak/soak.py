"""Long runs of the wstape binary: see scripts/soak --help."""

import argparse
import asyncio
import os
import pathlib
import random
import resource
import signal
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests/lib"), str(pathlib.Path(__file__).parent)]

from peers import TIMEOUT, Backend, Client, churn  # noqa: E402
from rig.process import Replay, Wstape, run  # noqa: E402

# What goes wrong in a churn, now and then, in every layer.
FAULTS = """\
seed: 7
faults:
  - {name: cut, when: {from: server, message: 3}, abort: rst, probability: 0.1}
  - {name: bye, when: {from: server, message: 2}, close: {code: 1011, reason: x}, probability: 0.1}
  - {name: late, when: {from: client}, delay: 20ms, probability: 0.2}
  - {name: twice, when: {from: server}, duplicate: 1, probability: 0.1}
  - {name: edit, when: {from: server}, set_field: {n: 7}, probability: 0.3}
  - {name: lost, when: {from: client}, drop: true, probability: 0.02}
  - {name: busy, when: {path: /churn/5}, status: 503, probability: 0.3}
  - {name: gone, reset: true, probability: 0.02}
"""


def rss_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def check(ok, text):
    print(f"  {'ok' if ok else 'FAILED'}: {text}", flush=True)
    return ok


async def watch(pid, samples, every):
    while True:
        samples.append((rss_kib(pid), descriptors(pid)))
        await asyncio.sleep(every)


async def warm(w):
    """Descriptors of a wstape that has had a connection."""
    c = await Client.open(w.port, "/warm")
    await c.close()
    await settled(w.pid, 0, within=1)
    return descriptors(w.pid)


async def settled(pid, count, within=30):
    """Descriptors once they are down to `count`, or after `within` seconds."""
    end = time.monotonic() + within
    while descriptors(pid) > count and time.monotonic() < end:
        await asyncio.sleep(0.1)
    return descriptors(pid)


def is_flat(samples):
    """Memory of the last quarter by that of the second."""
    rss = [r for r, _ in samples]
    quarter = max(1, len(rss) // 4)
    before = statistics.median(rss[quarter:2 * quarter] or rss)
    after = statistics.median(rss[-quarter:])
    grown = after - before
    return check(grown <= 1024 + before * 0.02,
                 f"memory {before:,.0f} kiB in the second quarter, {after:,.0f} in the last")


async def churn_part(a, folder):
    """Connect, talk, fault, leave: flat memory, no descriptor left."""
    faults = folder / "faults.yaml"
    faults.write_text(FAULTS)
    backend = await Backend().start()
    w = Wstape(folder, backend.url, "--faults", faults)
    try:
        first = await warm(w)
        samples = []
        watcher = asyncio.create_task(watch(w.pid, samples, max(0.2, a.seconds / 400)))
        count = await churn(w.port, a.seconds, a.rate, a.seed)
        left = await settled(w.pid, first)
        watcher.cancel()
        ok = check(count > a.seconds * a.rate * 0.8, f"{count:,} connections came and went")
        ok &= is_flat(samples)
        ok &= check(left <= first, f"{left} descriptors at the end, {first} at the start")
        w.stop()
    finally:
        w.kill()
        await backend.stop()
    p = run("verify", w.tape, timeout=600)
    ok &= check(p.returncode == 0, f"verify of {w.tape.stat().st_size / 1e6:,.0f} MB: "
                                   f"status {p.returncode}")  # fmt: skip
    return ok


async def many_part(a, folder):
    """8,000 WebSockets at once, each with traffic, each right."""
    backend = await Backend().start()
    w = Wstape(folder, backend.url, "--max-connections", "20000")
    clients = []
    wrong = 0

    async def one(i):
        c = await Client.open(w.port, f"/many/{i}")
        clients.append(c)

    async def talk(i, c):
        nonlocal wrong
        text = b"connection %d" % i
        for _ in range(3):
            wrong += await c.echo(text) != text

    try:
        for at in range(0, a.connections, 200):
            await asyncio.gather(*(one(i) for i in range(at, min(at + 200, a.connections))))
        ok = check(len(clients) == a.connections, f"{len(clients):,} connections are open")
        for at in range(0, len(clients), 1000):
            await asyncio.gather(*(talk(i, c) for i, c in
                                   enumerate(clients[at:at + 1000], at)))  # fmt: skip
        ok &= check(wrong == 0, f"{3 * len(clients):,} echoes, {wrong} wrong")
        print(f"  {rss_kib(w.pid):,} kiB with all of them open")
        for c in clients:
            c.reset()
        left = await settled(w.pid, 40)
        ok &= check(left < 40, f"{left} descriptors once all have left")
        w.stop()
    finally:
        w.kill()
        await backend.stop()
    return ok & check(run("verify", w.tape, timeout=600).returncode == 0, "verify")


async def storm_part(a, folder):
    """Thousands of connects at once, most of them given up at once; one that stays."""
    backend = await Backend().start()
    w = Wstape(folder, backend.url)
    end = time.monotonic() + a.seconds
    worst = rounds = 0
    try:
        stays = await Client.open(w.port, "/stays")
        while time.monotonic() < end:
            made = await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", w.port) for _ in range(500)),
                return_exceptions=True)  # fmt: skip
            began = time.monotonic()
            assert await stays.echo(b"still there?") == b"still there?"
            worst, rounds = max(worst, time.monotonic() - began), rounds + 1
            for each in made:
                if not isinstance(each, BaseException):
                    each[1].transport.abort()
        ok = check(rounds > 0 and worst < 2, f"{rounds * 500:,} connects; the slowest echo "
                                             f"beside them took {worst:.3f} s")  # fmt: skip
        await stays.close()
        w.stop()
    finally:
        w.kill()
        await backend.stop()
    return ok & check(run("verify", w.tape).returncode == 0, "verify")


async def descriptors_part(a, folder):
    """More connections than descriptors: those that are open go on, and once some left
    others get in."""
    backend = await Backend().start()
    w = Wstape(folder, backend.url, nofile=64)
    made = []
    try:
        for i in range(10):
            made.append(await Client.open(w.port, f"/{i}"))
        rest = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", w.port) for _ in range(200)),
            return_exceptions=True)  # fmt: skip
        texts = await asyncio.gather(*(c.echo(b"on?") for c in made))
        ok = check(texts == [b"on?"] * 10, "open connections go on without descriptors")
        for each in rest:
            if not isinstance(each, BaseException):
                each[1].transport.abort()
        late = await Client.open(w.port, "/late")
        ok &= check(late.status == 101 and await late.echo(b"in") == b"in",
                    "a new one gets in once others have left")  # fmt: skip
        ok &= check("open files" in w.stderr(), "and the remedy was said")
        for c in [*made, late]:
            await c.close()
        w.stop()
    finally:
        w.kill()
        await backend.stop()
    return ok & check(run("verify", w.tape).returncode == 0, "verify")


async def drip_part(a, folder):
    """Clients that send a byte at a time, or nothing: they are turned away in time, and
    nobody else waits for them."""
    backend = await Backend().start()
    w = Wstape(folder, backend.url, "--head-timeout", "2s", "--idle-timeout", "2s")
    answers = []

    async def drip(text):
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        try:
            for byte in text:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            pass
        try:
            answers.append(await asyncio.wait_for(reader.read(), TIMEOUT))
        except ConnectionError:
            answers.append(b"")
        writer.close()

    try:
        first = await warm(w)
        drips = [asyncio.create_task(drip(b"GET / HTTP/1.1\r\nX: " + b"y" * 100))
                 for _ in range(300)]  # fmt: skip
        worst = 0
        for _ in range(20):
            began = time.monotonic()
            c = await Client.open(w.port, "/quick")
            assert await c.echo(b"quick") == b"quick"
            await c.close()
            worst = max(worst, time.monotonic() - began)
            await asyncio.sleep(0.1)
        await asyncio.gather(*drips)
        ok = check(len(answers) == 300 and all(b" 408 " in x or x == b"" for x in answers),
                   "300 slow heads got 408, or nothing")  # fmt: skip
        ok &= check(worst < 2, f"the slowest connection beside them took {worst:.3f} s")
        left = await settled(w.pid, first)
        ok &= check(left <= first, f"{left} descriptors at the end, {first} at the start")
        w.stop()
    finally:
        w.kill()
        await backend.stop()
    return ok


def kill_once(folder, seed, port_of):
    """Start what `port_of` says, churn, SIGKILL; the tape reads."""
    rng = random.Random(seed)

    async def go():
        backend = await Backend().start()
        w = port_of(folder, backend.url)
        load = asyncio.create_task(churn(w.port, 5, 100, seed))
        await asyncio.sleep(rng.uniform(0.05, 0.6))
        w.process.send_signal(signal.SIGKILL)
        w.process.wait()
        load.cancel()
        await backend.stop()
        return w

    w = asyncio.run(go())
    tape = folder / "t.wstape"
    p = run("verify", tape)
    shown = run("show", tape)
    good = p.returncode in (0, 1) and shown.returncode == 0
    good &= not any(word in p.stdout for word in ("damaged", "missing"))
    tape.unlink()
    return good


def kill_part(a, folder):
    """SIGKILL at random moments with faults active, and of a replay that is recorded:
    the tape reads, and lacks nothing but its end."""
    faults = folder / "faults.yaml"
    faults.write_text(FAULTS)
    source = folder / "source.wstape"

    async def make():
        backend = await Backend().start()
        w = Wstape(folder, backend.url, output=source)
        await churn(w.port, 2, 50, a.seed)
        w.stop()
        await backend.stop()

    asyncio.run(make())
    kinds = {
        "record with faults": lambda f, url: Wstape(f, url, "--faults", faults),
        "replay with faults": lambda f, url: Replay(f, source, "--faults", faults,
                                                    "-o", f / "t.wstape"),
    }  # fmt: skip
    ok, end = True, time.monotonic() + a.seconds
    counts = dict.fromkeys(kinds, 0)
    while ok and time.monotonic() < end:
        for name, start in kinds.items():
            seed = a.seed + sum(counts.values())
            good = kill_once(folder, seed, start)
            ok &= good or check(False, f"{name}, seed {seed}")
            counts[name] += 1
    for name, count in counts.items():
        check(ok, f"{name}: killed {count} times")
    return ok


PARTS = {"churn": churn_part, "many": many_part, "storm": storm_part,
         "descriptors": descriptors_part, "drip": drip_part, "kill": kill_part}  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Long runs on loopback, with checks: every connection comes and goes, "
        "memory and descriptors stay flat, tapes read. Status 1 when a check failed.",
        epilog="parts: " + "; ".join(f"{n}: {' '.join(f.__doc__.split())}"
                                     for n, f in PARTS.items()),
    )  # fmt: skip
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (all)")
    add("--seconds", type=float, default=3600, help="of churn (3600); others take a tenth, "
        "60 at most")  # fmt: skip
    add("--rate", type=int, default=80, help="connections a second of churn (80)")
    add("--connections", type=int, default=8000, help="of many (8000)")
    add("--seed", type=int, default=1)
    a = parser.parse_args()
    unknown = set(a.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}")
    return a


def main():
    a = parse()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    total, failed = a.seconds, []
    for name in a.parts or PARTS:
        a.seconds = total if name == "churn" else min(60, total / 10)
        print(f"{name}: {' '.join(PARTS[name].__doc__.split())}", flush=True)
        with tempfile.TemporaryDirectory(prefix="wstape-soak-") as folder:
            part = PARTS[name](a, pathlib.Path(folder))
            ok = asyncio.run(part) if asyncio.iscoroutine(part) else part
        if not ok:
            failed.append(name)
    print("failed: " + ", ".join(failed) if failed else "all held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
