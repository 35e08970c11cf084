"""Rules where one leg or both are TLS: the same faults, as real clients meet them."""

import ssl

import pytest

from agent import CHAT, COMPLETED, DONE, EXECUTING, GREETING, RUN, THINKING, Agent
from agent import python_client
from rig.faults import acts
from test_cases import ERROR_1011, named
from told import node_client

ALL = [GREETING, *RUN]
LEGS = [(True, False), (False, True), (True, True)]
SHORT = EXECUTING.replace('"tool_name":"search",', "")


@pytest.fixture(scope="module")
def agents(pki):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*pki.good)
    with Agent() as plain, Agent(ssl=tls) as secret:
        yield {False: plain, True: secret}


@pytest.fixture
def start(inject, agents, pki):
    """start(legs, rule, ...) -> Wstape, URL of a path, options of a Python client."""

    def go(legs, *rules):
        args = ("--upstream-ca", pki.ca_file) if legs[1] else ()
        if legs[0]:
            args = (*args, "--tls-cert", pki.good[0], "--tls-key", pki.good[1])
        scheme = "wss" if legs[0] else "ws"
        w = inject(agents[legs[1]].url, *rules, args=args,
                   listen=f"{scheme}://127.0.0.1:0")
        tls = {"ssl": ssl.create_default_context(cafile=pki.ca_file)} if legs[0] else {}
        return w, lambda path: w.url(path, scheme, "localhost"), tls

    return go


def names(legs):
    return "-".join("wss" if tls else "ws" for tls in legs)


@pytest.mark.parametrize("legs", LEGS, ids=names)
def test_messages(legs, start, pki):
    w, url, tls = start(
        legs, "drop_field=tool_name,json.type=tool_executing", "drop,message=2,from=server",
        "duplicate,json.type=agent_completed", "delay=200ms,json.type=tool_completed")
    expected = [GREETING, THINKING, SHORT, COMPLETED, DONE, DONE]
    story = python_client(url("/ws"), [CHAT], 6, **tls)
    told = node_client(url("/ws"), ca=pki.ca_file, say=[CHAT], count=6)
    assert story.messages == told.texts == expected
    w.stop()
    assert len(acts(w.tape)) == 8


@pytest.mark.parametrize("legs", LEGS, ids=names)
def test_close(legs, start, agents, pki):
    w, url, tls = start(legs, "close=1011,reason=Internal error,from=server,message=4")
    path = f"/ws/{names(legs)}"
    story = python_client(url(path), [CHAT], **tls)
    told = node_client(url("/ws"), ca=pki.ca_file, say=[CHAT])
    assert named(story.text) == ERROR_1011 and story.messages == ALL[:3]
    assert (told.code, told.reason) == (1011, "Internal error")
    assert agents[legs[1]].ended(path).code == 1001


@pytest.mark.parametrize("rule", ["abort=fin,from=server,message=3",
                                  "abort=rst,from=server,message=3"])
@pytest.mark.parametrize("legs", LEGS, ids=names)
def test_abort(legs, rule, start, agents, pki):
    w, url, tls = start(legs, rule)
    path = f"/ws/{names(legs)}/{rule[6:9]}"
    story = python_client(url(path), [CHAT], **tls)
    told = node_client(url("/ws"), ca=pki.ca_file, say=[CHAT])
    assert story.messages == told.texts == ALL[:2]
    assert story.code == told.code == 1006
    assert story.text == "no close frame received or sent"
    assert agents[legs[1]].ended(path).code == 1006


@pytest.mark.parametrize("legs", LEGS, ids=names)
def test_streams_and_handshakes(legs, start, pki):
    w, url, tls = start(legs, "latency=100ms,from=server", "slice=20,from=server",
                        "status=403,path=/no", "handshake_delay=200ms,path=/slow")
    story = python_client(url("/slow"), [CHAT], 6, **tls)
    refused = node_client(url("/no"), ca=pki.ca_file)
    assert story.messages == ALL and story.opened >= 0.29
    assert refused.status == 403


@pytest.mark.parametrize("legs", LEGS, ids=names)
def test_limit(legs, start, pki):
    w, url, tls = start(legs, "limit=3k,from=server")
    text = "z" * 1000
    story = python_client(url("/echo"), [text] * 5, **tls)
    told = node_client(url("/echo"), ca=pki.ca_file, say=[text] * 5)
    assert story.messages == told.texts == [text] * 2
    assert story.code == told.code == 1006
