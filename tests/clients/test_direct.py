"""The clients and backends agree without wstape between them: what the other tests of
this folder blame on wstape is not theirs."""

import pytest

from ends import ALL, BACKENDS, CLIENTS, messages, start_client
from test_matrix import CONVERSATION, END, OF_OUR_OWN


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CLIENTS)
def test_direct(name, backend, backends, pki, new_path):
    server = backends(backend, True)
    path = new_path()
    sees = CLIENTS[name][2]
    steps = CONVERSATION + (OF_OUR_OWN if sees == ALL else []) + END

    log = start_client(name, server.url + path, steps, pki.ca_file).finish()
    server_log = server.log_of(path)

    assert messages(log, "sent", sees) == messages(server_log, "got", sees)
    assert messages(log, "got", sees) == messages(server_log, "sent", sees)
    assert len(messages(log, "got", {"text"})) > 60
