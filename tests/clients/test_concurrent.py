"""Many connections at once, from several clients to one backend: each its own story."""

import pytest

from ends import CLIENTS, compare

STEPS = [["burst", 20, 100], ["ask", {"do": "ping", "data": "x"}], ["binary", 70000],
         ["text", 0], ["close", 1000, "bye"]]
COUNT = 12


@pytest.mark.parametrize("legs", [(False, False), (True, True)], ids=["plain", "tls"])
@pytest.mark.parametrize("backend", ["py-websockets", "node-ws"])
def test_many_clients(backend, legs, backends, proxy, client, new_path):
    server = backends(backend, legs[1])
    w = proxy(server, legs[0])
    names = [list(CLIENTS)[i % len(CLIENTS)] for i in range(COUNT)]
    paths = [new_path() for _ in names]

    running = [client(n, w, p, STEPS, tls=legs[0]) for n, p in zip(names, paths)]
    logs = [p.finish() for p in running]
    server_logs = [server.log_of(p) for p in paths]
    w.stop()

    shown = w.show()
    assert len(shown.all("connection")) == COUNT
    for name, path, log, server_log in zip(names, paths, logs, server_logs):
        compare(shown, path, log, server_log, CLIENTS[name][2])
