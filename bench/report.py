"""Results as Markdown."""

import statistics

import measure

WRITTEN = {
    "direct": "no proxy",
    "nginx": "nginx",
    "haproxy": "HAProxy",
    "nginx tcpdump": "nginx, tcpdump -w",
    "mitmproxy": "mitmproxy -w",
    "relay": "relay",
    "relay --log": "relay --log",
    "wstape off": "wstape, not recording",
    "wstape": "**wstape record**",
    "wstape rules": "wstape record, rules",
}

PEERS = ["nginx", "haproxy", "relay --log", "wstape off"]

# What is aimed at: load, key, peer (None: the number itself), bound, whether more is good.
AIMS = [
    ("echo1", "msgs_s", "nginx", 1.0, True, "messages/s, 1 connection echoing 128 B"),
    ("echo1", "cpu_per", "nginx", 1.0, False, "CPU a message, the same load"),
    ("echo64", "msgs_s", "nginx", 1.0, True, "messages/s, 64 connections echoing 128 B"),
    ("echo64", "cpu_per", "nginx", 1.0, False, "CPU a message, the same load"),
    ("echo512", "msgs_s", "nginx", 1.0, True, "messages/s, 512 connections echoing 128 B"),
    ("echo512", "cpu_per", "nginx", 1.0, False, "CPU a message, the same load"),
    ("connect", "conn_s", "nginx", 1.0, True, "connections/s"),
    ("connect", "cpu_per", "nginx", 1.0, False, "CPU a connection"),
    ("connect", "conn_s", "haproxy", 1.0, True, "connections/s"),
    ("stream64k", "MB_s", "relay --log", 0.9, True, "streaming 64 KiB messages"),
    ("stream1k", "MB_s", "relay --log", 0.9, True, "streaming 1 KiB messages"),
    ("stream128", "msgs_s", "relay --log", 0.9, True, "streaming 128 B messages"),
    ("echo64", "msgs_s", "wstape off", 0.9, True, "recording, messages/s at 64 connections"),
    ("idle", "bytes_per", "haproxy", 0.5, False, "memory an idle connection"),
]


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def _columns(load):
    """Heading, key, scale, digits."""
    if load.mode == "idle":
        return [("connections", "opened", 1, 0), ("bytes each", "bytes_per", 1, 0),
                ("RSS MB", "peak_rss", 1e-6, 1)]  # fmt: skip
    columns = {
        "msgs_s": [("messages/s", "msgs_s", 1, 0)],
        "MB_s": [("MB/s", "MB_s", 1, 0), ("messages/s", "msgs_s", 1, 0)],
        "conn_s": [("connections/s", "conn_s", 1, 0)],
    }[load.rate]
    if load.mode in ("pingpong", "connect"):
        columns += [("p50 µs", "p50_us", 1, 0), ("p99 µs", "p99_us", 1, 0)]
    if load.mode == "upload" or load.name == "stream128":
        columns += [("MB/s", "MB_s", 1, 0)]
    digits = 0 if load.unit == "MB" else 2
    columns += [(f"CPU µs a {load.unit}", "cpu_per", 1, digits)]
    return columns + [("peak RSS MB", "peak_rss", 1e-6, 1), ("lost %", "lost", 100, 1)]


def load_table(load, results):
    """One table: a proxy a row, medians over the rounds."""
    columns = _columns(load)
    rows = []
    for name, rounds in results.items():
        middle = measure.medians(rounds)
        cells = [
            _number(middle[key] * scale if key in middle else None, digits)
            for _, key, scale, digits in columns
        ]
        rows.append([WRITTEN[name]] + cells)
    return [f"### {load.name}: {load.title}", ""] + _table(
        [""] + [heading for heading, *_ in columns], rows
    )


def ratio_table(results):
    """wstape by each of its peers: throughput and processor time."""
    peers = [p for p in PEERS if any(p in r for r in results.values())]
    head = [""]
    for peer in peers:
        head += [f"rate, × {WRITTEN[peer]}", f"CPU, × {WRITTEN[peer]}"]
    rows = []
    for load in measure.LOADS:
        by_name = results.get(load.name, {})
        if load.rate is None or "wstape" not in by_name:
            continue
        row = [load.name]
        for peer in peers:
            for key in (load.rate, "cpu_per"):
                other = by_name.get(peer, [])
                row.append(_number(measure.ratio(by_name["wstape"], other, key), 2))
        rows.append(row)
    return _table(head, rows) if rows and peers else []


def _aim_value(results, load, key, peer):
    by_name = results.get(load, {})
    if "wstape" not in by_name:
        return None
    return measure.ratio(by_name["wstape"], by_name.get(peer, []), key)


def aim_rows(results):
    rows = []
    for load, key, peer, bound, more, title in AIMS:
        value = _aim_value(results, load, key, peer)
        if value is None:
            continue
        rows.append(_aim_row(title, f" × {WRITTEN[peer]}", bound, more, value))
    return rows


def _aim_row(title, against, bound, more, value):
    reached = value >= bound if more else value <= bound
    wanted = ("at least " if more else "at most ") + f"{bound:,.2f}{against}"
    near = not reached and round(value, 2) == bound  # two digits would say "reached"
    return [title, wanted, _number(value, 3 if near else 2), "yes" if reached else "no"]


def many_aim(results):
    """What a message costs with thousands of connections, by what it does with 64."""
    few, many = (results.get(load, {}).get("wstape") for load in ("echo64", "echo4000"))
    value = measure.ratio(many, few, "cpu_per") if few and many else None
    if value is None:
        return []
    return [_aim_row("CPU a message, 4,000 connections", " × 64 connections", 1.1, False,
                     value)]  # fmt: skip


def many_lines(results):
    """The same for all the others: what of it is the machine's."""
    few, many = results.get("echo64", {}), results.get("echo4000", {})
    each = [(WRITTEN[name], measure.ratio(many[name], few[name], "cpu_per"))
            for name in many if name in few and name != "wstape"]  # fmt: skip
    words = [f"{title} {value:.2f}" for title, value in each if value is not None]
    if not words:
        return []
    return [f"CPU a message with 4,000 connections, by 64, of the others: {', '.join(words)}."]


def read_aim(rates):
    if "wstape verify" not in rates:
        return []
    value = statistics.median(rates["wstape verify"]) / 1000
    return [_aim_row("`verify`, 1 KiB frames", " GB/s", 1, True, value)]


def read_table(rates):
    if not rates:
        return []
    rows = [[name, _number(statistics.median(each), 0)] for name, each in rates.items()]
    title = "### reading: a tape of 1 KiB frames, from memory"
    return [title, ""] + _table(["", "MB/s"], rows)


def tape_lines(results):
    """What the tapes of all rounds held, in a sentence."""
    tapes = [r["tape"] for load in results.values()
             for name in ("wstape", "wstape rules") for r in load.get(name, [])
             if "tape" in r]  # fmt: skip
    if not tapes:
        return []
    frames = sum(t["from_client"] + t["from_server"] for t in tapes)
    short = sum(not t["complete"] for t in tapes)
    if short:
        return [f"**{short} of {len(tapes)} tapes lack frames that passed.**"]
    return [f"All {frames:,} frames that passed are on the {len(tapes)} tapes."]


def document(results, rates, machine):
    """The whole report, a list of lines."""
    lines = list(machine)
    rows = aim_rows(results) + many_aim(results) + read_aim(rates)
    aims = _table(["aim", "wanted", "measured", "reached"], rows) if rows else []
    for part in (aims, many_lines(results), tape_lines(results), ratio_table(results)):
        if part:
            lines += [""] + part
    for load in measure.LOADS:
        if results.get(load.name):
            lines += [""] + load_table(load, results[load.name])
    if rates:
        lines += [""] + read_table(rates)
    return lines
