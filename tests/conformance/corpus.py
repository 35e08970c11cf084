"""Reads the cases of this folder: `*.cases`, in the small language README.md describes.

A case has two ends, `a` and `b`, which are not yet client and server: each is played both
ways. What this module returns knows no masks, no compression and no sockets.
"""

import itertools
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
OPCODES = {"cont": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10,
           **{f"op{n}": n for n in range(16)}}
FLAGS = {"nofin", "wrongmask", "deflate", "pings"}
NUMBERS = {"rsv", "form", "length", "cut", "level", "parts", "every", "blocks", "times"}
WORDS = {"mask", "strategy"}
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\*(\d+))?|hex:([0-9a-f]*)(?:\*(\d+))?'
                   r"|(noise|words)\*(\d+)|(\S+)")
ESCAPE = re.compile(rb'\\(?:x([0-9a-fA-F]{2})|(["\\]))')


@dataclass
class Step:
    """A line of a case: `act` is frame, raw, echo, fin or rst."""

    side: str
    act: str
    opcode: int = 0
    code: int | None = None
    payload: bytes = b""
    options: dict = field(default_factory=dict)


@dataclass
class Case:
    """A dialogue. `breaks`: what the tape must say of a's frames, nothing else; a word
    like `client:mask` is for when a is the client."""

    name: str
    place: str
    steps: list = field(default_factory=list)
    offer: list = field(default_factory=list)
    answer: list = field(default_factory=list)
    split: str = "frame"
    breaks: tuple = ()
    scripted_only: bool = False
    undecoded: bool = False

    def breaches(self, a):
        words = [word.rpartition(":") for word in self.breaks]
        return {name for role, _, name in words if role in ("", a)}


class Malformed(ValueError):
    """A line nobody can play."""


def literal(text):
    """The bytes between quotes: UTF-8, with `\\xNN`, `\\"` and `\\\\`."""
    return ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else m[2], text.encode())


def generated(kind, size):
    """Bytes that compress badly, or English-looking text that compresses well."""
    rng = random.Random(size)
    if kind == "noise":
        return rng.randbytes(size)
    list_ = "an answer comes before the question was asked twice by two agents".split()
    text = " ".join(rng.choices(list_, k=size // 2 + 1))
    return text[:size].encode()


def tokens(text):
    """Words as str and payload pieces as bytes, in their order."""
    for m in TOKEN.finditer(text):
        if m[1] is not None:
            yield literal(m[1]) * int(m[2] or 1)
        elif m[3] is not None:
            yield bytes.fromhex(m[3]) * int(m[4] or 1)
        elif m[5]:
            yield generated(m[5], int(m[6]))
        else:
            yield m[7]


def option(step, word):
    key, equals, value = word.partition("=")
    if not equals and key in FLAGS:
        step.options[key] = True
    elif equals and key in NUMBERS:
        step.options[key] = int(value, 0)
    elif equals and key in WORDS:
        step.options[key] = value
    elif step.opcode == OPCODES["close"] and step.code is None and key.isdigit():
        step.code = int(key)
    else:
        raise Malformed(f"unknown word {word!r}")


def step_of(side, text):
    verb, *rest = list(tokens(text))
    if verb in ("echo", "fin", "rst"):
        step = Step(side, verb)
    elif verb == "raw":
        step = Step(side, "raw")
    elif verb in OPCODES:
        step = Step(side, "frame", OPCODES[verb])
    else:
        raise Malformed(f"unknown verb {verb!r}")
    for word in rest:
        if isinstance(word, bytes):
            step.payload += word
        else:
            option(step, word)
    return step


def apply(case, line):
    """One line of a case's body."""
    head, _, rest = line.partition(" ")
    rest = rest.strip()
    if head in ("a", "b"):
        for words in rest.split(" % "):
            step = step_of(head, words)
            case.steps += [step] * step.options.pop("times", 1)
    elif head in ("offer", "answer"):
        getattr(case, head).append(rest)
    elif head == "split":
        case.split = rest
    elif head == "breaks":
        case.breaks = tuple(rest.split())
    elif line == "only scripted":
        case.scripted_only = True
    elif line == "tape undecoded":
        case.undecoded = True
    else:
        raise Malformed(f"unknown line {line!r}")


def alternatives(lines):
    """The `with` lines as {name: [(label, value), ...]}, and the other lines."""
    table, others = {}, []
    for line in lines:
        if not line.startswith("with "):
            others.append(line)
            continue
        name, _, values = line[5:].partition(":")
        for value in values.split(" | "):
            label, equals, text = value.partition(" = ")
            table.setdefault(name, []).append(
                (label.strip(), (text if equals else label).strip()))
    return table, others


def expand(name, place, lines):
    """All cases that one block stands for."""
    table, body = alternatives(lines)
    for chosen in itertools.product(*table.values()):
        full = name
        text = "\n".join(body)
        for key, (label, value) in zip(table, chosen):
            full = full.replace(f"{{{key}}}", label)
            text = text.replace(f"{{{key}}}", value)
        case = Case(full, place)
        for line in text.splitlines():
            apply(case, line)
        yield case


def blocks(path):
    """(name, place, lines) of each block of a file."""
    name, place, lines = None, None, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("case "):
            if name:
                yield name, place, lines
            name, place, lines = line[5:].strip(), f"{path.name}:{number}", []
        elif name is None:
            raise Malformed(f"{path.name}:{number}: a line before the first case")
        else:
            lines.append(line)
    if name:
        yield name, place, lines


def read(folder=HERE):
    """Every case, in the order of the files' names."""
    found = []
    for path in sorted(folder.glob("*.cases")):
        for name, place, lines in blocks(path):
            try:
                found += expand(name, place, lines)
            except ValueError as e:
                raise Malformed(f"{place}: {e}") from None
    return found
