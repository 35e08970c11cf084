"""8,000 idle WebSockets cost wstape less than 2.5 kB of memory each."""

import resource

from rig import frames, raw
from rig.wait import rss_kb

COUNT = 8000
BYTES_EACH = 2500
BATCH = 100


def raise_nofile(need):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, need))  # as root, or fail here
    elif soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def open_batch(port, listener, count, number):
    clients = [raw.connect(port) for _ in range(count)]
    for i, c in enumerate(clients):
        c.send(frames.request(f"/ws/idle/{number + i}"))
    servers = [listener.take() for _ in clients]
    for s in servers:
        s.send(frames.response(s.read_head()))
    for c in clients:
        c.read_head()
    return clients, servers


def exchange(clients, servers):
    """A message each way, as a connection has that is idle now."""
    hello = frames.frame(frames.TEXT, b'{"type":"connection_established","data":{}}')
    ping = frames.frame(frames.PING, b"", mask=frames.MASK)
    for s in servers:
        s.send(hello)
    for c in clients:
        c.read_to(len(c.got) + len(hello))
        c.send(ping)
    for s in servers:
        s.read_to(len(s.got) + len(ping))


def test_idle_websockets(record):
    raise_nofile(2 * COUNT + 500)
    opened = []
    with raw.Listener() as listener:
        w = record(listener.url(), "--max-connections", COUNT + 100,
                   nofile=2 * COUNT + 500)
        warm = open_batch(w.port, listener, 1, COUNT)
        exchange(*warm)
        before = rss_kb(w.pid)
        while len(opened) < COUNT:
            clients, servers = open_batch(w.port, listener, BATCH, len(opened))
            exchange(clients, servers)
            opened += zip(clients, servers)
        each = (rss_kb(w.pid) - before) * 1024 / COUNT
        exchange(*warm)
        for pair in [*opened, *zip(*warm)]:
            for end in pair:
                end.close()
        w.stop()
    assert each < BYTES_EACH, f"{each:.0f} bytes a connection"
    assert len(w.show().all("connection")) == COUNT + 1
