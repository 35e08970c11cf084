"""Random JSON texts as they are met and as they are not expected, and paths into them."""

import json
import re

KEYS = ["a", "b", "c", "type", "tool_name", "results", "", "0", "a b", "é", "😀", "it's",
        'q"', "a.b", "\n", "\\", "k-1", "Ünï"]  # fmt: skip
WORDS = ["", "tool_executing", "tool_completed", "x", "null", "5", "naïve €", "😀 hello",
         "a/b\\c", '"', "tab\tnew\nline", "\x00\x1f\x7f", "]},:", "\ud800", "\udfff\ud800",
         "lorem ipsum dolor sit amet, consectetur", "\u2028", "'"]  # fmt: skip
NUMBERS = ["0", "-0", "1", "1.0", "1e0", "-1.50", "12345678901234567890123456789", "1E+2",
           "0.1e-7", "5", "-5", "1e400", "10e-1", "9007199254740993", "0.0", "2",
           "3.141592653589793238462643383279502884197", "100", "1e2"]  # fmt: skip
SPACES = ["", "", "", " ", " ", "\n  ", "\t", "\r\n", "   \n\t "]
SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n",
         "\r": "\\r", "\t": "\\t"}  # fmt: skip
BARE = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\-\u0080-\U0010ffff]*")


class Messages:
    def __init__(self, random):
        self.random = random

    # ---- texts ----

    def space(self):
        return self.random.choice(SPACES) if self.spaced else ""

    def character(self, c):
        surrogate = "\ud800" <= c <= "\udfff"
        if not surrogate and c >= " " and c not in '"\\' and self.random.random() > 0.08:
            return c
        if c in SHORT and self.random.random() < 0.7:
            return SHORT[c]
        code = json.dumps(c)[1:-1] if ord(c) > 0xFFFF else f"\\u{ord(c):04x}"
        return code if self.random.random() < 0.5 else "\\u".join(
            part.upper() for part in code.split("\\u"))  # fmt: skip

    def string(self, text):
        return '"' + "".join(map(self.character, text)) + '"'

    def scalar(self):
        pick = self.random.random()
        if pick < 0.4:
            return self.string(self.random.choice(WORDS))
        if pick < 0.8:
            return self.random.choice(NUMBERS)
        return self.random.choice(["true", "false", "null"])

    def children(self, depth, one):
        count = self.random.choice([0, 1, 1, 2, 3, 4, 6])
        parts = [self.space() + one(depth - 1) + self.space() for _ in range(count)]
        return ",".join(parts) or self.space()

    def member(self, depth):
        # Few keys near the root, so that paths meet them, twice at times.
        key = self.random.choice(KEYS[: self.random.choice([3, 6, len(KEYS)])])
        return self.string(key) + self.space() + ":" + self.space() + self.value(depth)

    def value(self, depth):
        pick = self.random.random()
        if depth == 0 or pick < 0.3:
            return self.scalar()
        if pick < 0.75:
            return "{" + self.children(depth, self.member) + "}"
        return "[" + self.children(depth, self.value) + "]"

    def message(self):
        """Bytes; about one in seven is not JSON any more."""
        self.spaced = self.random.random() < 0.6
        deep = self.random.random()
        if deep < 0.02:
            levels = self.random.randrange(20, 60)
            text = '{"a":[' * levels + self.scalar() + "]}" * levels
        elif deep < 0.1:
            text = self.value(2)
        else:
            text = "{" + self.children(5, self.member) + "}"
        data = (self.space() + text + self.space()).encode()
        return self.broken(data) if self.random.random() < 0.15 else data

    def broken(self, data):
        at = self.random.randrange(len(data) + 1)
        what = self.random.randrange(5)
        if what == 0:
            return data[:at]
        if what == 1:
            return data[:at] + data[at + 1 :]
        byte = bytes([self.random.choice(b'"\\{}[]:,0-+.eE\x00\x1f\x80\xc3\xff x1\n')])
        if what == 2:
            return data[:at] + byte + data[at:]
        if what == 3:
            return data[:at] + byte + data[at + 1 :]
        extra = [b"\xef\xbb\xbf", b"NaN", b"Infinity", b"//", b"null", b"\xed\xa0\x80"]
        return data[:at] + self.random.choice(extra) + data[at:]

    # ---- paths ----

    def selector(self):
        pick = self.random.random()
        if pick < 0.65:
            return self.random.choice(KEYS[: self.random.choice([3, 6, len(KEYS)])])
        return self.random.randrange(3) if pick < 0.85 else None

    def path(self):
        if self.random.random() < 0.01:
            return []
        count = self.random.choice([1, 1, 1, 2, 2, 3])
        return [(self.random.random() < 0.12, self.selector()) for _ in range(count)]

    def quoted_name(self, name):
        quote = self.random.choice("'\"")
        out = ""
        for c in name:
            escape = c == quote or c < " " or c == "\\" or self.random.random() < 0.1
            out += self.path_escape(c) if escape else c
        return quote + out + quote

    def path_escape(self, c):
        if c == "'":
            return "\\'"
        if c in SHORT and self.random.random() < 0.5:
            return SHORT[c]
        return json.dumps(c)[1:-1] if ord(c) > 0xFFFF else f"\\u{ord(c):04X}"

    def spelled(self, path):
        """One of the spellings of a path."""
        out = "$"
        for n, (descends, selector) in enumerate(path):
            bare = selector is None or (isinstance(selector, str) and BARE.fullmatch(selector))
            if bare and self.random.random() < 0.8:
                if n == 0 and not descends and selector and self.random.random() < 0.7:
                    out = selector
                else:
                    out += (".." if descends else ".") + ("*" if selector is None else selector)
                continue
            inside = "*" if selector is None else str(selector)
            if isinstance(selector, str):
                inside = self.quoted_name(selector)
            blank = self.random.choice(["", "", " "])
            out += (".." if descends else "") + f"[{blank}{inside}{blank}]"
        return out

    # ---- what edits and conditions need ----

    def new_value(self):
        self.spaced = self.random.random() < 0.3
        return self.value(self.random.choice([0, 0, 2])).replace("\x00", "")

    def new_name(self):
        return self.random.choice([*KEYS, "renamed", "\x01\x7f\x85"])

    def word_for(self, value):
        """An expected word that equals a scalar; a number is spelled in another way."""
        if not isinstance(value, str):
            return {None: "null", True: "true", False: "false"}[value]
        if type(value) is not str:
            whole = value.lstrip("-").isdigit()
            return self.random.choice([f"{value}.00", f"{value}0e-1"] if whole else [value])
        if any("\ud800" <= c <= "\udfff" or c == "\0" for c in value):
            return "*"
        glob = "".join("\\" + c if c in "*?[]\\\"" else c for c in value)
        at = self.random.randrange(len(glob) + 1)
        cut = glob[:at].rstrip("\\") + "*" if self.random.random() < 0.3 else glob
        return cut if cut == "*" else f'"{cut}"'

    def expected_word(self):
        globs = ["tool_*", "*", "**", "?", "*e*", "tool_[a-e]*", '"5"', '"null"', "x", "~", ""]
        pick = self.random.random()
        if pick < 0.4:
            return self.random.choice(NUMBERS)
        return self.random.choice(globs if pick < 0.8 else ["true", "false", "null"])
