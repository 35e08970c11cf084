"""Results as Markdown."""

import measure

WRITTEN = {
    "direct": "no proxy",
    "nginx": "nginx",
    "haproxy": "HAProxy",
    "relay": "relay",
    "relay --log": "relay --log",
    "wstape": "**wstape record**",
}

PEERS = ["nginx", "haproxy", "relay --log"]

# What is aimed at: load, key, peer (None: the number itself), bound, whether more is good.
AIMS = [
    ("echo64", "msgs_s", "nginx", 1.0, True, "messages/s, 64 connections echoing 128 B"),
    ("echo64", "cpu_per", "nginx", 1.15, False, "CPU a message, the same load"),
    ("connect", "conn_s", "haproxy", 1.0, True, "connections/s"),
    ("stream1k", "MB_s", "relay --log", 0.8, True, "streaming 1 KiB messages"),
    ("stream64k", "MB_s", "relay --log", 0.8, True, "streaming 64 KiB messages"),
    ("idle", "bytes_per", None, 2500, False, "bytes of memory an idle connection"),
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
    return columns + [("peak RSS MB", "peak_rss", 1e-6, 1)]


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
    if peer is None:
        return measure.medians(by_name["wstape"]).get(key)
    return measure.ratio(by_name["wstape"], by_name.get(peer, []), key)


def aim_table(results):
    rows = []
    for load, key, peer, bound, more, title in AIMS:
        value = _aim_value(results, load, key, peer)
        if value is None:
            continue
        digits = 2 if peer else 0
        reached = value >= bound if more else value <= bound
        against = f" × {WRITTEN[peer]}" if peer else ""
        wanted = ("at least " if more else "at most ") + _number(bound, digits) + against
        rows.append([title, wanted, _number(value, digits), "yes" if reached else "no"])
    return _table(["aim", "wanted", "measured", "reached"], rows) if rows else []


def tape_lines(results):
    """What the tapes of all rounds held, in a sentence."""
    tapes = [r["tape"] for load in results.values() for r in load.get("wstape", [])
             if "tape" in r]  # fmt: skip
    if not tapes:
        return []
    frames = sum(t["from_client"] + t["from_server"] for t in tapes)
    short = sum(not t["complete"] for t in tapes)
    if short:
        return [f"**{short} of {len(tapes)} tapes lack frames that passed.**"]
    return [f"All {frames:,} frames that passed are on the {len(tapes)} tapes."]


def document(results, machine):
    """The whole report, a list of lines."""
    lines = list(machine)
    for part in (aim_table(results), tape_lines(results), ratio_table(results)):
        if part:
            lines += [""] + part
    for load in measure.LOADS:
        if results.get(load.name):
            lines += [""] + load_table(load, results[load.name])
    return lines
