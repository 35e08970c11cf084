"""Chance that can be repeated: same seed and traffic, same faults, whatever the timing."""

import random
import re

import pytest

from rig import frames, raw
from rig.faults import faults_of

CONNECTIONS, MESSAGES, REPETITIONS = 50, 20, 20
RULES = ["name=lossy,drop,probability=0.3,text=^m",
         "name=noisy,corrupt=2,probability=0.3,from=server,text=^m",
         "name=late,delay=1ms,probability=0.3,from=client,text=^m"]
UNRELATED = ["name=other,rename_field.a=b,probability=0.5",
             "name=elsewhere,close=1011,probability=0.3,path=/other*",
             "name=pings,drop,opcode=ping,probability=0.3"]


def text(connection, n):
    return b"m%d of connection %d, and so on" % (n, connection)


def send(end, payload):
    end.send(frames.frame(frames.TEXT, payload, mask=frames.MASK))


def converse(port, chance, sequential=False):
    """Open the connections in turn, then let them talk in an order of chance; what each
    of them got."""
    ends = []
    for _ in range(CONNECTIONS):
        end = raw.connect(port)
        end.send(frames.request("/echo"))
        end.read_head()
        ends.append([end, end.got.index(b"\r\n\r\n") + 4, 0])
    todo = [c for c in range(CONNECTIONS) for _ in range(MESSAGES)]
    if not sequential:
        chance.shuffle(todo)
    for c in todo:
        ends[c][2] += 1
        send(ends[c][0], text(c, ends[c][2]))
    got = []
    for end, at, _ in ends:
        send(end, b"end")
        got.append([])
        while got[-1][-1:] != [b"end"]:
            (_, _, payload), at = end.read_frame(at)
            got[-1].append(payload)
        end.close()
    return got


def lists(tape, rules=("lossy", "noisy", "late")):
    """For each connection and side, what hit what."""
    out = {}
    for f in faults_of(tape):
        if f.rule in rules:
            out.setdefault((f.connection, f.side), []).append(
                (f.message, f.rule, f.action, f.applied, f.draw))
    return out


def run(inject, server, rules, seed, chance, **kw):
    w = inject(server.url(), *rules, args=() if seed is None else ("--seed", seed))
    got = converse(w.port, chance, **kw)
    w.stop()
    return got, lists(w.tape), w


@pytest.fixture(scope="module")
def first():
    return {}


def reference(first, inject, server):
    """The run that all others are compared with."""
    if not first:
        first["got"], first["faults"], _ = run(inject, server, RULES, 42, random.Random(0))
    return first["got"], first["faults"]


def test_the_first_run(inject, echo_server, first):
    """It is what it should be: about three in ten, different for each connection."""
    got, faults = reference(first, inject, echo_server)
    lossy = [f for found in faults.values() for f in found if f[1] == "lossy"]
    sent = CONNECTIONS * MESSAGES
    assert 0.25 < len(lossy) / (sent + 0.7 * sent) < 0.35  # to the server, and back
    assert all(0 <= draw < 0.3 for found in faults.values() for *_, draw in found)
    hits = {tuple(m for m, rule, *_ in found if rule == "lossy")
            for (_, side), found in faults.items() if side == "client"}
    assert len(hits) > CONNECTIONS * 0.9
    assert sum(len(g) - 1 for g in got) == 2 * sent - sent - len(lossy)


@pytest.mark.parametrize("repetition", range(REPETITIONS))
def test_the_same_again(repetition, inject, echo_server, first):
    got, faults = reference(first, inject, echo_server)
    again, faults_again, _ = run(inject, echo_server, RULES, 42,
                                 random.Random(repetition + 1))
    assert faults_again == faults
    assert again == got, "corrupted bytes too"


def test_one_after_the_other(inject, echo_server, first):
    """Without any interleaving: still the same."""
    got, faults = reference(first, inject, echo_server)
    again = run(inject, echo_server, RULES, 42, random.Random(1), sequential=True)
    assert again[:2] == (got, faults)


@pytest.mark.parametrize("order", ["before", "after", "between"])
def test_unrelated_rules(order, inject, echo_server, first):
    got, faults = reference(first, inject, echo_server)
    rules = {"before": UNRELATED + RULES, "after": RULES + UNRELATED,
             "between": [r for pair in zip(RULES, UNRELATED) for r in pair]}[order]
    assert run(inject, echo_server, rules, 42, random.Random(9))[:2] == (got, faults)


def test_an_unrelated_rule_before_one_without_a_name(inject, echo_server):
    """What a rule hits does not depend on where it stands."""
    rule = "drop,probability=0.3,text=^m"

    def hits(rules):
        w = inject(echo_server.url(), *rules, args=("--seed", 42))
        converse(w.port, random.Random(3))
        w.stop()
        return sorted((f.connection, f.side, f.message, f.draw)
                      for f in faults_of(w.tape, action="drop"))

    assert hits([rule]) == hits(["rename_field.a=b", rule])


def test_another_seed(inject, echo_server, first):
    _, faults = reference(first, inject, echo_server)
    other = run(inject, echo_server, RULES, 43, random.Random(0))[1]
    assert other != faults
    same = sum(other.get(k) == v for k, v in faults.items())
    assert same < len(faults) * 0.1


def test_the_seed_that_was_printed(inject, echo_server):
    got, faults, w = run(inject, echo_server, RULES, None, random.Random(5))
    seed = re.search(r"--seed (\d+)", w.stderr())
    assert seed, w.stderr()
    again = run(inject, echo_server, RULES, seed.group(1), random.Random(6))
    assert again[:2] == (got, faults)
    assert w.show().all("tape")[0]["seed"] == int(seed.group(1))
    unseeded = run(inject, echo_server, RULES, None, random.Random(5))
    assert unseeded[1] != faults, "drawn anew each time"


def test_the_seed_in_the_file(inject, echo_server, first):
    """The option goes before the file."""
    got, faults = reference(first, inject, echo_server)
    file = ("seed: 42\nfaults:\n"
            "  - {name: lossy, drop: true, probability: 0.3, when: {text: ^m}}\n"
            "  - {name: noisy, corrupt: 2, probability: 0.3,"
            " when: {from: server, text: ^m}}\n"
            "  - {name: late, delay: 1ms, probability: 0.3,"
            " when: {from: client, text: ^m}}\n")
    assert run(inject, echo_server, [file], None, random.Random(7))[:2] == (got, faults)
    assert run(inject, echo_server, [file], 43, random.Random(7))[1] != faults
