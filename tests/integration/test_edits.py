"""Cuts in JSON texts against a reference in Python, byte for byte."""

import collections
import random
import re
import subprocess
from pathlib import Path

import pytest

import json_reference
from json_messages import Messages
from rig.process import binary

EACH = 1500
SEEDS = range(8)  # 12,000 messages, each edited in all three ways


def ask(requests):
    """The driver's answers, one for each request."""
    driver = Path(binary()).parents[1] / "tests/lib/edit"
    done = subprocess.run([driver], input="\n".join(requests) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(requests)
    return answers


def coded(text):
    return text.encode().hex()


def request(verb, fields, data):
    words = [coded(path) + ("" if text is None else "=" + coded(text))
             for path, text in fields]
    return f"{verb} {','.join(words)} {data.hex()}"


def read(answer):
    word, _, rest = answer.partition(" ")
    if word != "ok":
        return word, 0, None
    places, _, text = rest.partition(" ")
    return word, int(places), bytes.fromhex(text)


def field_of(verb, messages):
    path = messages.path()
    text = {"drop": lambda: None, "set": messages.new_value, "rename": messages.new_name}
    return path, messages.spelled(path), text[verb]()


@pytest.mark.sanitize
@pytest.mark.parametrize("seed", SEEDS)
def test_edits_equal_the_reference(seed):
    chance = random.Random(seed)
    messages = Messages(chance)
    requests, wanted = [], []
    for _ in range(EACH):
        data = messages.message()
        for verb in ("drop", "set", "rename"):
            fields = [field_of(verb, messages) for _ in range(chance.choice([1, 1, 2, 3]))]
            requests.append(request(verb, [(s, t) for _, s, t in fields], data))
            plan = [p if t is None else (p, t) for p, _, t in fields]
            wanted.append((json_reference.expected(verb, data, plan), fields, data))
    seen = collections.Counter()
    for answer, asked, (want, fields, data) in zip(ask(requests), requests, wanted):
        assert read(answer) == want, (asked.split(" ", 1)[0], fields, data)
        seen[want[0]] += 1
    # All three outcomes are met often enough to mean something.
    assert min(seen["ok"], seen["not-json"], seen["no-such-field"]) > EACH / 4, seen


def condition(messages, data):
    """A path and a word, often one that fits what the path leads to."""
    path = messages.path()
    try:
        found = json_reference.find(json_reference.load(data), path)
    except ValueError:
        found = {}
    values = [v for v in found.values() if not isinstance(v, list)]
    if not values or messages.random.random() < 0.3:
        return path, messages.expected_word()
    return path, messages.word_for(messages.random.choice(values))


@pytest.mark.sanitize
def test_conditions_equal_the_reference():
    chance = random.Random(97)
    messages = Messages(chance)
    requests, wanted = [], []
    for _ in range(4000):
        data = messages.message()
        conditions = [condition(messages, data) for _ in range(chance.choice([1, 1, 2]))]
        spelled = [(messages.spelled(p), word) for p, word in conditions]
        requests.append(request("holds", spelled, data))
        wanted.append((json_reference.holds(data, conditions), spelled, data))
    for answer, (want, spelled, data) in zip(ask(requests), wanted):
        assert answer == want, (spelled, data)
    seen = collections.Counter(want for want, _, _ in wanted)
    assert seen["yes"] > 200 and seen["no"] > 200 and seen["not-json"] > 200, seen


def test_spellings_of_a_path_mean_the_same():
    messages = Messages(random.Random(11))
    paths = [messages.path() for _ in range(500)]
    spelled = [messages.spelled(p) for p in paths for _ in range(4)]
    answers = ask([f"path {coded(s)}" for s in spelled])
    assert all(a.startswith("ok ") for a in answers)
    for n in range(0, len(answers), 4):
        assert len(set(answers[n : n + 4])) == 1, spelled[n : n + 4]


def test_depth_has_a_limit():
    def nested(levels):
        return b"[" * (levels - 1) + b'{"a":1}' + b"]" * (levels - 1)

    answers = ask([request("drop", [("$..a", None)], nested(n)) for n in (1000, 1001, 100000)])
    assert read(answers[0]) == ("ok", 1, nested(1000).replace(b'"a":1', b""))
    assert answers[1:] == ["not-json", "not-json"]


def test_a_large_message():
    big = b'{"head":1,"items":[' + b",".join(
        b'{"id":%d,"score":0.%d00,"text":"%s"}' % (i, i, b"x" * 200) for i in range(40000)
    ) + b'],"tail":12345678901234567890}'
    [answer] = ask([request("drop", [("items[*].score", None), ("head", None)], big)])
    word, places, text = read(answer)
    assert (word, places) == ("ok", 40001)
    assert text == re.sub(rb'"score":0\.\d+,|"head":1,', b"", big)
