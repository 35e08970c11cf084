"""An independent reading of what inject/edit and inject/json promise.

What is JSON, and which value is where, comes from Python's json module; only the cuts are
made with a scan of our own, over texts that module has accepted. Places are tuples of child
numbers, so that both views name the same thing alike.
"""

import decimal
import json
import re

# ---- values: objects keep order and duplicates, numbers their spelling ----


class Object(list):
    """Pairs of key and value."""


class Number(str):
    """As it was written."""

    def __eq__(self, other):
        return isinstance(other, Number) and str(self) == str(other)

    __hash__ = str.__hash__


def refuse(word):
    raise ValueError(word)


def load(data):
    """The value of a JSON text, ValueError when it is none."""
    return json.loads(data.decode("utf-8"), object_pairs_hook=Object, parse_int=Number,
                      parse_float=Number, parse_constant=refuse)  # fmt: skip


def same(a, b):
    """Equal, types, order and duplicate keys included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Object):
        return len(a) == len(b) and all(
            k == l and same(v, w) for (k, v), (l, w) in zip(a, b))  # fmt: skip
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def children(value):
    """(key or None, value) of each child."""
    if isinstance(value, Object):
        return list(value)
    return [(None, v) for v in value] if isinstance(value, list) else []


# ---- paths: lists of (descends, selector); a selector is a name, an index or None: all ----


def below(value, place):
    yield place, value
    for i, (_, child) in enumerate(children(value)):
        yield from below(child, (*place, i))


def select(value, place, selector):
    for i, (key, child) in enumerate(children(value)):
        if selector is None or (
            key == selector if isinstance(selector, str) else key is None and i == selector
        ):
            yield (*place, i), child


def find(root, path):
    """{place: value} of everything the path leads to."""
    found = {(): root}
    for descends, selector in path:
        starts = {}
        for place, value in found.items():
            starts.update(below(value, place) if descends else [(place, value)])
        found = {}
        for place, value in starts.items():
            found.update(select(value, place, selector))
    return found


def is_inside(place, places):
    return any(place[:n] in places for n in range(len(place)))


def outermost(places):
    return {p for p in places if not is_inside(p, places)}


# ---- edits planned on the value ----


def plan_drop(root, paths):
    return outermost({p for path in paths for p in find(root, path) if p})


def plan_set(root, fields):
    """({place: text}, {place of an object: {name: text}})"""
    replaced = {}
    for path, text in fields:
        replaced.update(dict.fromkeys(find(root, path), text))
    replaced = {p: replaced[p] for p in outermost(replaced)}
    added = {}
    for path, text in fields:
        if not path or path[-1][0] or not isinstance(path[-1][1], str):
            continue
        name = path[-1][1]
        for place, value in find(root, path[:-1]).items():
            if place in replaced or is_inside(place, replaced):
                continue
            if isinstance(value, Object) and name not in [k for k, _ in value]:
                names = added.setdefault(place, {})
                names.pop(name, None)  # the last one holds, at its place in the order
                names[name] = text
    return replaced, added


def plan_rename(root, fields):
    renamed = {}
    for path, name in fields:
        for place in find(root, path):
            parent = root
            for i in place[:-1]:
                parent = children(parent)[i][1]
            if place and isinstance(parent, Object):
                renamed[place] = name
    return renamed


# ---- edits on the value ----


def rebuild(value, place, edit):
    """The value after `edit`: it says what becomes of a child, None when it goes."""
    if not isinstance(value, list):
        return value
    kept = []
    for i, (key, child) in enumerate(children(value)):
        at = (*place, i)
        pair = edit.child(at, key, child)
        if pair is not None:
            kept.append((pair[0], rebuild(pair[1], at, edit) if pair[2] else pair[1]))
    if not isinstance(value, Object):
        return [v for _, v in kept]
    return Object(kept + edit.more(place))


class Drop:
    def __init__(self, root, paths):
        self.places = plan_drop(root, paths)
        self.count = len(self.places)

    def child(self, place, key, value):
        return None if place in self.places else (key, value, True)

    def more(self, place):
        return []


class Set:
    def __init__(self, root, fields):
        self.replaced, self.added = plan_set(root, fields)
        self.count = len(self.replaced) + sum(map(len, self.added.values()))

    def child(self, place, key, value):
        if place in self.replaced:
            return key, load(self.replaced[place].encode()), False
        return key, value, True

    def more(self, place):
        return [(k, load(v.encode())) for k, v in self.added.get(place, {}).items()]


class Rename:
    def __init__(self, root, fields):
        self.renamed = plan_rename(root, fields)
        self.count = len(self.renamed)

    def child(self, place, key, value):
        return self.renamed.get(place, key), value, True

    def more(self, place):
        return []


EDITS = {"drop": Drop, "set": Set, "rename": Rename}


def edited(root, edit):
    if isinstance(edit, Set) and () in edit.replaced:
        return load(edit.replaced[()].encode())
    return rebuild(root, (), edit)


# ---- cuts in the text ----

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,\]}]+')
SPACE = re.compile(r"[ \t\n\r]*")


class Span:
    """A value in a text: where it is, its key, its children."""

    def __init__(self, text, at, key=None):
        self.key = key  # (from, to)
        self.start = at
        self.spans = []
        if text[at] in "{[":
            at = self.read_children(text, at + 1, text[at] == "{")
        else:
            at = SCALAR.match(text, at).end()
        self.end = at

    def read_children(self, text, at, keys):
        at = SPACE.match(text, at).end()
        while text[at] not in "}]":
            key = None
            if keys:
                key = STRING.match(text, at).span()
                at = text.index(":", key[1]) + 1
                at = SPACE.match(text, at).end()
            child = Span(text, at, key)
            self.spans.append(child)
            at = SPACE.match(text, child.end).end()
            if text[at] == ",":
                at = SPACE.match(text, at + 1).end()
        return at + 1

    @property
    def first(self):
        return self.key[0] if self.key else self.start


def cut(text, span, place, edit):
    """The text of a span after the edit, its key included."""
    head = text[span.first : span.start]
    if isinstance(edit, Rename) and place in edit.renamed:
        head = quoted(edit.renamed[place]) + text[span.key[1] : span.start]
    if isinstance(edit, Set) and place in edit.replaced:
        return head + edit.replaced[place]
    if text[span.start] not in "{[":
        return head + text[span.start : span.end]
    return head + cut_container(text, span, place, edit)


def cut_container(text, span, place, edit):
    spans = span.spans
    dropped = edit.places if isinstance(edit, Drop) else ()
    kept = [i for i in range(len(spans)) if (*place, i) not in dropped]
    out = text[span.start : spans[0].first if spans else span.start + 1]
    for n, i in enumerate(kept):
        out += cut(text, spans[i], (*place, i), edit)
        if n + 1 < len(kept):  # up to where the next one that was there began
            out += text[spans[i].end : spans[i + 1].first]
    more = edit.added.get(place, {}) if isinstance(edit, Set) else {}
    members = [quoted(k) + ":" + v for k, v in more.items()]
    out += ",".join([""] * bool(members and kept) + members)
    return out + text[spans[-1].end if spans else span.start + 1 : span.end]


def quoted(name):
    """As base/text writes a string: only what has to be escaped, and what never shows."""
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    return '"' + "".join(
        short.get(c) or (c if c >= " " and not "\x7f" <= c <= "\x9f" else f"\\u{ord(c):04x}")
        for c in name) + '"'  # fmt: skip


def expected(verb, data, fields):
    """The driver's answer: (word, places, text)."""
    try:
        root = load(data)
    except ValueError:  # UnicodeDecodeError is one too
        return "not-json", 0, None
    edit = EDITS[verb](root, fields)
    if not edit.count:
        return "no-such-field", 0, None
    text = data.decode()
    start = SPACE.match(text).end()
    span = Span(text, start)
    new = text[:start] + cut(text, span, (), edit) + text[span.end :]
    # The cuts and the edited value have to be of one mind, or this page is wrong.
    assert same(load(new.encode()), edited(root, edit)), (verb, data, fields)
    return "ok", edit.count, new.encode()


# ---- conditions ----


def glob_regex(glob):
    """*, ?, escapes and plain sets, which is what the generator makes."""
    out = ""
    for part in re.findall(r"\\.|\*|\?|\[[^]]*\]|.", glob, re.S):
        out += {"*": ".*", "?": "."}.get(part) or (
            part if part[0] == "[" else re.escape(part[-1]))  # fmt: skip
    return re.compile(out, re.S)


NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def equals(value, word):
    if word == "*":
        return True
    if word in ("", "null", "~"):
        return value is None
    if word in ("true", "false"):
        return value is (word == "true")
    if NUMBER.fullmatch(word):
        return isinstance(value, Number) and decimal.Decimal(word) == decimal.Decimal(value)
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1]
    return type(value) is str and glob_regex(word).fullmatch(value) is not None


def holds(data, conditions):
    try:
        root = load(data)
    except ValueError:
        return "not-json"
    met = all(any(equals(v, word) for v in find(root, path).values())
              for path, word in conditions)  # fmt: skip
    return "yes" if met else "no"
