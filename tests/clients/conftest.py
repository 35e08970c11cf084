"""Fixtures of the tests with real clients and backends."""

import itertools

import pytest

from ends import CLIENTS, Backend, start_client

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def backends(pki):
    """backends(name, tls) -> Backend, started on first use."""
    running = {}

    def get(name, tls=False):
        if (name, tls) not in running:
            running[name, tls] = Backend(name, pki.good if tls else None)
        return running[name, tls]

    yield get
    for b in running.values():
        b.kill()


@pytest.fixture
def proxy(record, pki, tmp_path):
    """proxy(backend, tls) -> Wstape in front of a Backend, listening with TLS or not."""

    def start(backend, tls=False, *args, **kw):
        if tls:
            args = (*args, "--tls-cert", pki.good[0], "--tls-key", pki.good[1])
        if backend.tls:
            args = (*args, "--upstream-ca", pki.ca_file)
        scheme = "wss" if tls else "ws"
        return record(backend.url, *args, listen=f"{scheme}://127.0.0.1:0", **kw)

    return start


@pytest.fixture
def new_path():
    """A path that no other connection of this run has."""
    return lambda: f"/ws/{next(_numbers)}"


@pytest.fixture
def client(pki):
    """client(name, wstape, path, steps, **options) -> Program, trusting the test CA."""
    started = []

    def start(name, w, path, steps, tls=False, **options):
        assert name in CLIENTS
        url = w.url(path, "wss" if tls else "ws", "localhost")
        p = start_client(name, url, steps, pki.ca_file if tls else None, **options)
        started.append(p)
        return p

    yield start
    for p in started:
        if p.process.poll() is None:
            p.kill()
