"""`wstape faults`: the list, `check` and its words, the schema beside the checker."""

import base64
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest
import yaml

from rig.process import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/faults.md").read_text()
SCHEMA = json.loads((ROOT / "docs/faults.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def faults(*args, **kw):
    return subprocess.run([binary(), "faults", *map(str, args)], capture_output=True,
                          timeout=60, **{"text": True, **kw})


def check(folder, text, name="faults.yaml"):
    """The answer of `faults check` about a file of this text, in its folder."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return faults("check", name, cwd=folder)


def errors(answer):
    """First lines of the errors, without the file's name and the count at the end."""
    found = re.findall(r"^faults\.yaml:(\d+:\d+: .*)$", answer.stdout, re.MULTILINE)
    assert answer.returncode == (2 if found else 0), answer
    return found


def as_file(rule):
    """A rule file with this rule, of one or more lines."""
    return "faults:\n" + "".join(
        ("  - " if n == 0 else "    ") + line + "\n" for n, line in
        enumerate(rule.splitlines()))


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)


def documented_files():
    found = [b if "faults:" in b else "faults:\n" + b for b in blocks("yaml")]
    assert len(found) >= 7
    return found


def documented_lines():
    found = [quoted or bare for block in blocks("sh") for quoted, bare in
             re.findall(r"--fault (?:'([^']*)'|(\S+))", block)]
    assert len(found) >= 13
    return found


def listed():
    answer = faults("--json")
    assert answer.returncode == 0, answer
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len([o for o in found if o["record"] == "action"]) == 33
    assert len([o for o in found if o["record"] == "condition"]) == 12
    return found


def built(tmp_path, line):
    """What `inject --fault LINE` says of the rule; the upstream is never asked."""
    scheme = "wss" if line.startswith("tls=") else "ws"
    return subprocess.run(
        [binary(), "inject", "-u", "ws://127.0.0.1:9", "-l", f"{scheme}://127.0.0.1:0",
         "-o", tmp_path / "l.wstape", "--fault", line, "--", "true"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
        env={**os.environ, "WSTAPE_CA_DIR": str(tmp_path / "ca")})


# ---- what is right ----


@pytest.mark.parametrize("text", documented_files())
def test_documented_files(tmp_path, text):
    answer = check(tmp_path, text)
    assert answer.returncode == 0 and not answer.stderr, answer
    VALIDATOR.validate(yaml.safe_load(text))
    count = len(yaml.safe_load(text)["faults"])
    assert answer.stdout == f"faults.yaml: {count} rule{'' if count == 1 else 's'}\n"


@pytest.mark.parametrize("line", documented_lines())
def test_documented_lines(tmp_path, line):
    (tmp_path / "hello.json").write_text("{}")
    answer = built(tmp_path, line)
    assert answer.returncode == 0, answer
    assert "wstape: 1 rule, --seed" in answer.stderr


def test_documentation_is_whole():
    """Every action and every condition has an example in the docs."""
    rules = [rule for text in documented_files() for rule in yaml.safe_load(text)["faults"]]
    used = {key for rule in rules for key in rule}
    asked = {key for rule in rules for key in rule.get("when", {})}
    for o in listed():
        assert o["name"] in (used if o["record"] == "action" else asked), o["name"]


def test_listed_examples(tmp_path):
    """The examples of `wstape faults` are rules, the line means what the YAML does."""
    for o in listed():
        action = o["record"] == "action"
        text = as_file(o["yaml"] if action else f"drop: true\nwhen: {o['yaml']}")
        if o["name"] == "after":
            text += "  - {name: first tool breaks, corrupt: 1}\n"
        assert errors(check(tmp_path, text)) == [], text
        VALIDATOR.validate(yaml.safe_load(text))
        if o["name"] != "after":
            (tmp_path / "l.wstape").unlink(missing_ok=True)
            answer = built(tmp_path, o["line"] if action else "drop," + o["line"])
            assert answer.returncode == 0, answer


def test_list_for_people():
    answer = faults()
    assert answer.returncode == 0 and not answer.stderr
    for o in listed():
        assert f"\n  {o['name']} " in answer.stdout
        assert f"{o['line']}'\n" in answer.stdout
        for line in o["yaml"].splitlines():
            assert line in answer.stdout


def test_schema_is_the_committed_one():
    answer = faults("schema")
    assert answer.returncode == 0
    assert answer.stdout == (ROOT / "docs/faults.schema.json").read_text()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


GOOD = [
    "seed: 18446744073709551615\nfaults: []\n",
    "seed: 0\nfaults: [{drop: }]\n",
    "faults: [{drop: true, probability: 1, times: 1, per_connection: 7}]\n",
    "faults: [{drop: true, probability: 0.001}]\n",
    "faults: [{name: 42, drop: true}]\n",
    "faults: [{drop: true, when: {}}]\n",
    "faults: [{hang: true}, {hang: forever}, {hang: 0}, {hang: 1.5s}]\n",
    "faults: [{stall: }, {duplicate: true}, {reorder: 1000}, {corrupt: 65536}]\n",
    "faults: [{truncate: 0}, {truncate: 1k}, {fragment: 1}, {limit: 0}, {slice: 9}]\n",
    "faults: [{close: {code: 3000}}, {close: 4999}, {close: {code: 1000, reason: 5}}]\n",
    "faults: [{replace: text}, {replace: {json: }}, {replace: {json: [1, {a: .5}]}}]\n",
    "faults: [{insert: {binary: ''}}, {insert: {binary: AA==, where: before}}]\n",
    "faults: [{set_field: {$: {}}}, {set_field: {'a[0].b': [1, null, x]}}]\n",
    "faults: [{rename_field: {'a..b': c, 'x[*]': y, \"['é ü']\": z}}]\n",
    "faults: [{drop_field: 'été'}, {drop_field: [a-b, '$[\"x y\"][0]..[*].*']}]\n",
    "faults: [{drop: true, when: {message: '3', size: [0, 1k..2k, 3M..]}}]\n",
    "faults: [{drop: true, when: {message: [every 4, 1, 7..]}}]\n",
    "faults: [{drop: true, when: {time: 3s, age: 0..1h}}]\n",
    "faults: [{drop: true, when: {opcode: text, from: client}}]\n",
    "faults: [{drop: true, when: {opcode: [binary, text], text: x, json: {a: 1}}}]\n",
    "faults: [{violate: utf8, when: {opcode: [text, binary]}}]\n",
    "faults: [{drop: true, when: {json: {a: null, b: true, c: '*', d: -1.5e3}}}]\n",
    "faults: [{status: 200, when: {from: client, header: {Host: '*'}}}]\n",
    "faults: [{bad_accept: , when: {from: server, path: '[!a-c]?\\*'}}]\n",
    "faults: [{set_header: {X-A: '', X-B: 7, X-C: true}}, {drop_header: X-A}]\n",
    "a: &a {from: server}\nfaults: []\n".replace("a: &a {from: server}\n", ""),
    "faults: [{drop: true, when: &w {from: server}}, {delay: 1s, when: *w}]\n",
    '{"faults": [{"drop": true, "when": {"message": 3}}]}\n',
]


@pytest.mark.parametrize("text", GOOD)
def test_good(tmp_path, text):
    assert errors(check(tmp_path, text)) == []
    VALIDATOR.validate(yaml.safe_load(text))


# ---- what is wrong: the rule, the error, and whether a schema can say so ----

SAYS, CANNOT = True, False
WHOLE = [
    ("seed: x\nfaults: []", '1:7: seed: "x" is not a number from 0 on', SAYS),
    ("seed: -1\nfaults: []", '1:7: seed: "-1" is not a number from 0 on', SAYS),
    ("seed: 18446744073709551616\nfaults: []",
     '1:7: seed: "18446744073709551616" is not a number from 0 on', SAYS),
    ("seed: '5'\nfaults: []", '1:7: seed: "5" in quotes is not a number from 0 on', SAYS),
    ("fault: []", '1:1: unknown key "fault" (did you mean faults?)', SAYS),
    ("seed: 1", '1:1: "faults" is missing: a list of rules', SAYS),
    ("faults: {}", "1:9: faults: a map is not a list of rules", SAYS),
    ("faults:", "1:1: faults needs a list of rules", SAYS),
    ("[]", '1:1: a rule file is a map with "faults", a list of rules', SAYS),
    ("5", '1:1: a rule file is a map with "faults", a list of rules', SAYS),
    ("faults: [drop]", '1:10: faults: "drop" is not a rule (a map like {drop: true})', SAYS),
    ("faults:\n  -\n", "2:3: faults needs a rule (a map like {drop: true})", SAYS),
    ("", '1:1: there is nothing in it: a rule file is a map with "faults", a list of rules',
     SAYS),
    ("# nothing\n", "1:1: there is nothing in it: a rule file is a map with \"faults\", a "
     "list of rules", SAYS),
    ("faults: []\n---\nfaults: []", "2:1: a second document: a rule file has one", CANNOT),
    ("faults: []\nfaults: []", '2:1: "faults" is here twice (before at 1:1)', CANNOT),
    ("faults: [", "1:10: flow sequence without a closing bracket", CANNOT),
    ("faults: *none", "1:9: there is no anchor &none before this", CANNOT),
    ("faults: &a [*a]", "1:13: the anchor &a holds itself", CANNOT),
    ("faults: !!seq []", "1:15: tags other than !!str are not known here", CANNOT),
    ("faults: [{[a]: b}]", "1:11: a key has to be a plain word", CANNOT),
    (b"faults: []\n# \xff", "2:3: here is a byte that is no text (UTF-8)", CANNOT),
    (b"faults: []\n# \0", "2:3: here is a byte that is no text (UTF-8)", CANNOT),
    ("faults: [" + "{drop: }, " * 1000 + "{drop: }]", "1:10010: more than 1000 rules", SAYS),
    ("faults:\n  - {name: a, drop: }\n  - name: a\n    drop:\n",
     '3:11: name: "a" is taken by the rule at faults.yaml:2:12', CANNOT),
]

PATHS = "a path (like $.results[0].id)"
RULES = [
    # keys
    ("drop_feild: a", '2:5: unknown key "drop_feild" (did you mean drop_field?)', SAYS),
    ("zzzzzzzz: a", '2:5: unknown key "zzzzzzzz" (see: wstape faults)', SAYS),
    ("{}", "2:5: this rule has no action (see: wstape faults)", SAYS),
    ("name: a", "2:5: this rule has no action (see: wstape faults)", SAYS),
    ("drop: true\ndelay: 1s", "3:5: a second action: this rule does drop already", SAYS),
    ("drop: true\ndrop: true", '3:5: "drop" is here twice (before at 2:5)', CANNOT),
    ("drop: true\nfrom: server", '3:5: "from" is a condition: it belongs in when', SAYS),
    ("drop: true\nwhen: {mesage: 1}",
     '3:12: unknown condition "mesage" (did you mean message?)', SAYS),
    ("drop: true\nwhen: {zzzzzzzzz: 1}",
     '3:12: unknown condition "zzzzzzzzz" (see: wstape faults)', SAYS),
    ("drop: true\nwhen: server",
     '3:11: when: "server" is not a map of conditions (like {from: server})', SAYS),
    ("drop: true\nwhen: [from]",
     "3:11: when: a list is not a map of conditions (like {from: server})", SAYS),
    # what every rule may have
    ("drop: true\nname: ''", "3:11: name: 1 to 200 bytes are needed", SAYS),
    ("drop: true\nname:", '3:5: name needs a text (an empty one is "")', SAYS),
    ("drop: true\nname: [a]", '3:11: name: a list is not a text (an empty one is "")', SAYS),
    ("drop: true\nname: " + "a" * 201, "3:11: name: 1 to 200 bytes are needed", SAYS),
    ('drop: true\nname: "a\\eb"',
     "3:11: name: there are characters in it that cannot be shown", SAYS),
    ('drop: true\nname: "a\\0b"', "3:11: name: the text must not contain a NUL", SAYS),
    ("drop: true\nprobability: 0", "3:18: probability: with 0 the rule never acts", SAYS),
    ("drop: true\nprobability: 1.5",
     '3:18: probability: "1.5" is not a number from 0 to 1 (like 0.25)', SAYS),
    ("drop: true\nprobability: 50%",
     '3:18: probability: "50%" is not a number from 0 to 1 (like 0.25)', SAYS),
    ("drop: true\ntimes: 0", '3:12: times: "0" is not a number from 1 on', SAYS),
    ("drop: true\ntimes: '3'", '3:12: times: "3" in quotes is not a number from 1 on', SAYS),
    ("drop: true\nper_connection: -1",
     '3:21: per_connection: "-1" is not a number from 1 on', SAYS),
    # conditions
    ("drop: true\nwhen: {connection: 0}", "3:24: connection: counting starts at 1", SAYS),
    ("drop: true\nwhen: {message: 0..3}", "3:21: message: counting starts at 1", SAYS),
    ("drop: true\nwhen: {message: 5..3}", '3:21: message: nothing is in "5..3"', CANNOT),
    ("drop: true\nwhen: {message: five}", '3:21: message: "five" is not a number or a '
     "range (like 3, 1..3, 5.., every 4)", SAYS),
    ("drop: true\nwhen: {message: every 0}", '3:21: message: "every 0" is not a number or '
     "a range (like 3, 1..3, 5.., every 4)", SAYS),
    ("drop: true\nwhen: {message: ..5}", '3:21: message: "..5" is not a number or a '
     "range (like 3, 1..3, 5.., every 4)", SAYS),
    ("drop: true\nwhen: {message: []}", "3:21: message: the list is empty", SAYS),
    ("drop: true\nwhen: {message: [1, {}]}", "3:25: message: a map is not a number or a "
     "range (like 3, 1..3, 5.., every 4)", SAYS),
    ("drop: true\nwhen: {size: 3q}", '3:18: size: "3q" is not a size or a range of sizes '
     "(like 1k, 1k..64k, 64k..)", SAYS),
    ("drop: true\nwhen: {size: 2k..1k}", '3:18: size: nothing is in "2k..1k"', CANNOT),
    ("drop: true\nwhen: {from: srever}",
     '3:18: from: "srever" is not client or server (did you mean server?)', SAYS),
    ("drop: true\nwhen: {from: [client, server]}",
     "3:18: from: a list is not client or server", SAYS),
    ("drop: true\nwhen: {opcode: pingg}", '3:20: opcode: "pingg" is not text, binary, '
     "ping, pong or close (did you mean ping?)", SAYS),
    ("drop: true\nwhen: {opcode: []}", "3:20: opcode: the list is empty", SAYS),
    ("drop: true\nwhen: {time: 3}",
     '3:18: time: "3" is not a range of time (like 0s..3s, 5s..)', SAYS),
    ("drop: true\nwhen: {time: 3s..1s}", '3:18: time: nothing is in "3s..1s"', CANNOT),
    ("drop: true\nwhen: {age: 3s..3s}", '3:17: age: nothing is in "3s..3s"', CANNOT),
    ("drop: true\nwhen: {path: '/[a'}",
     "3:20: path: this [ has no ]; write \\[ for the character itself", CANNOT),
    ("drop: true\nwhen: {header: {}}",
     "3:20: header needs a map (like {User-Agent: Python*})", SAYS),
    ("drop: true\nwhen: {header: {a b: c}}",
     '3:21: header: "a b" is not a header\'s name', SAYS),
    ("drop: true\nwhen: {header: {A: }}",
     '3:21: header needs a text (an empty one is "")', SAYS),
    ("drop: true\nwhen: {json: type}", "3:18: json needs a map (like {type: tool_*})", SAYS),
    ("drop: true\nwhen: {json: {'a[': 1}}",
     '3:22: "a[" is no path: expected an index, * or a name in quotes', SAYS),
    ("drop: true\nwhen: {json: {a: [1]}}", "3:22: json: a list cannot be compared with, "
     "only texts, numbers, true, false, null and *", SAYS),
    ("drop: true\nwhen: {json: {a: 'x[b'}}",
     "3:24: json: this [ has no ]; write \\[ for the character itself", CANNOT),
    ("drop: true\nwhen: {text: 'a(b'}",
     "3:22: text: no regular expression: missing closing parenthesis", CANNOT),
    ("drop: true\nwhen: {after: nobody}", '3:19: after: no rule is called "nobody"', CANNOT),
    ("drop: true\nname: first\nwhen: {after: frist}",
     '4:19: after: no rule is called "frist" (did you mean "first"?)', CANNOT),
    ("drop: true\nname: me\nwhen: {after: me}",
     "4:19: after: this is the rule itself: it would wait forever", CANNOT),
    # values of actions
    ("drop: false", "2:11: drop takes no value (write drop: true)", SAYS),
    ("refuse: {}\nwhen: {time: 1s}", "2:13: refuse takes no value (write refuse: true)", SAYS),
    ("delay:", "2:5: delay needs a duration (like 250ms, 3s, 2m)", SAYS),
    ("delay: 250", '2:12: delay: "250" is not a duration (like 250ms, 3s, 2m)', SAYS),
    ("hang: never", '2:11: hang: "never" is not a duration (like 250ms, 3s, 2m) or forever',
     SAYS),
    ("accept_delay: true", '2:19: accept_delay: "true" is not a duration (like 250ms, 3s, '
     "2m)", SAYS),
    ("tls: expierd", '2:10: tls: "expierd" is not expired, self_signed, wrong_host or abort '
     "(did you mean expired?)", SAYS),
    ("status: 99", '2:13: code: "99" is not a number from 200 to 599', SAYS),
    ("status: '503'", '2:13: code: "503" in quotes is not a number from 200 to 599', SAYS),
    ("status: {body: x}", '2:13: status needs "code"', SAYS),
    ("status: {code: 503, hedaers: {}}",
     '2:25: status has no "hedaers" (did you mean headers?)', SAYS),
    ("status: {code: 503, headers: {}}",
     "2:34: headers needs a map of names and values (like {Retry-After: 1})", SAYS),
    ("status: {code: 503, headers: {'A:': 1}}", '2:35: header: "A:" in quotes is not a header\'s name',
     SAYS),
    ('set_header: {A: "x\\r\\nB: 1"}',
     "2:21: set_header: a header's value has no control characters", SAYS),
    ("set_header: A",
     "2:17: set_header needs a map of names and values (like {Retry-After: 1})", SAYS),
    ("drop_header: []", "2:18: drop_header: the list is empty", SAYS),
    ("drop_header: 'a b'", '2:18: header: "a b" in quotes is not a header\'s name', SAYS),
    ("subprotocol:", '2:5: subprotocol needs a text (an empty one is "")', SAYS),
    ('extension: "\\n\\t"', "2:16: extension: a header's value has no control characters",
     SAYS),
    ("duplicate: 0", '2:16: duplicate: "0" is not a number from 1 to 1000', SAYS),
    ("duplicate: 1001", '2:16: duplicate: "1001" is not a number from 1 to 1000', SAYS),
    ("reorder: x", '2:14: reorder: "x" is not a number from 1 to 1000', SAYS),
    ("corrupt: 65537", '2:14: corrupt: "65537" is not a number from 1 to 65536', SAYS),
    ("drop_field:", f"2:5: drop_field needs {PATHS}", SAYS),
    ("drop_field: []", "2:17: drop_field: the list is empty", SAYS),
    ("drop_field: [a, {}]", f"2:21: path: a map is not {PATHS}", SAYS),
    ("drop_field: $", "2:17: drop_field: $ is the whole message (drop takes it out)", SAYS),
    ("drop_field: a.0", '2:19: "a.0" is no path: a name that begins with a digit needs '
     "quotes: ['0']; an element is [0]", SAYS),
    ("drop_field: a[-1]",
     '2:19: "a[-1]" is no path: indexes from the end are not supported: count from 0', SAYS),
    ("drop_field: [" + ", ".join(["a"] * 65) + "]", "2:17: drop_field: more than 64 fields",
     SAYS),
    ("set_field: a", "2:16: set_field needs a map of paths and values", SAYS),
    ("set_field: {}", "2:16: set_field needs a map of paths and values", SAYS),
    ("set_field: {a: .inf}", '2:20: json: ".inf" is not a number that JSON knows', CANNOT),
    ("rename_field: {a: }", '2:20: rename_field needs a text (an empty one is "")', SAYS),
    ("rename_field: {'a[0]': b}",
     '2:20: rename_field: "a[0]" leads to no field with a name', SAYS),
    ("rename_field: a", "2:19: rename_field needs a map of paths and names", SAYS),
    ("replace:", '2:5: replace needs a text (an empty one is "")', SAYS),
    ("replace: [1]", '2:14: replace: a list is not a text (an empty one is "")', SAYS),
    ("replace: {}", "2:14: replace needs one of text, json, file and binary", SAYS),
    ("replace: {text: a, json: b}",
     "2:14: replace needs only one of text, json, file and binary", SAYS),
    ("replace: {binary: A}", '2:23: binary: "A" is not base64', SAYS),
    ("replace: {binary: AB=A}", '2:23: binary: "AB=A" is not base64', SAYS),
    ("replace: {text: a, where: after}", '2:24: replace has no "where"', SAYS),
    ("insert: {text: a, where: behind}", '2:30: where: "behind" is not before or after', SAYS),
    ("insert: {file: nowhere.json}",
     "2:20: file: cannot read ./nowhere.json: No such file or directory", CANNOT),
    ("insert: {file: .}", "2:20: file: cannot read ./.: Is a directory", CANNOT),
    ("insert: {file: /dev/zero}",
     "2:20: file: cannot read /dev/zero: it is no ordinary file", CANNOT),
    ("truncate: -1", '2:15: truncate: "-1" is not a size (like 512, 64k, 16M)', SAYS),
    ("fragment: 0", "2:15: fragment: at least 1 is needed", SAYS),
    ("close:", '2:5: code needs a number from 0 to 65535', SAYS),
    ("close: 1005", "2:12: code 1005 must not be in a close frame: 1000 to 1003, 1007 to "
     "1014 and 3000 to 4999 may (violate: close_code sends 1005)", SAYS),
    ("close: going", '2:12: code: "going" is not a number from 0 to 65535', SAYS),
    ("close: {reason: bye}", '2:12: close needs "code"', SAYS),
    ("close: {code: 1011, reason: " + "a" * 124 + "}",
     "2:33: reason: 124 bytes are too long, a close frame takes 123", SAYS),
    ("close: {code: 1011, reason: " + "ä" * 62 + "}",
     "2:33: reason: 124 bytes are too long, a close frame takes 123", CANNOT),
    ("abort: close", '2:12: abort: "close" is not fin or rst', SAYS),
    ("stall: 3", '2:12: stall: "3" is not a duration (like 250ms, 3s, 2m) or forever', SAYS),
    ("violate: rvs", '2:14: violate: "rvs" is not rsv, mask, opcode, length, '
     "control_fragment, utf8, close_code or orphan_continuation (did you mean rsv?)", SAYS),
    ("latency: {jitter: 5ms}", '2:14: latency needs "time"', SAYS),
    ("latency: {time: 5ms, jiter: 5ms}",
     '2:26: latency has no "jiter" (did you mean jitter?)', SAYS),
    ("latency: fast", '2:14: time: "fast" is not a duration (like 250ms, 3s, 2m)', SAYS),
    ("bandwidth: 0", "2:16: bandwidth: at least 1 is needed", SAYS),
    ("slice: {delay: 5ms}", '2:12: slice needs "size"', SAYS),
    ("limit: much", '2:12: limit: "much" is not a size (like 512, 64k, 16M)', SAYS),
    ("slow_close: 99999999h",
     '2:17: slow_close: "99999999h" is not a duration (like 250ms, 3s, 2m)', CANNOT),
    # what contradicts itself
    ("refuse: true", "2:5: refuse needs a time: when: {time: 0s..3s}", SAYS),
    ("refuse: true\nwhen: {time: 1s, message: 1}",
     "3:22: message: refuse closes the port to everyone: time is its only condition", SAYS),
    ("refuse: true\nwhen: {time: 1s, connection: 1}",
     "3:22: connection: refuse closes the port to everyone: time is its only condition",
     SAYS),
    ("refuse: true\nwhen: {time: 1s}\nprobability: 0.5",
     "4:5: probability: refuse closes the port for its whole time", SAYS),
    ("refuse: true\nwhen: {time: 1s}\ntimes: 5",
     "4:5: times: refuse closes the port for its whole time", SAYS),
    ("reset: true\nwhen: {message: 1}",
     "3:12: message: reset acts on a connection as such, not on messages", SAYS),
    ("hang: true\nwhen: {from: client}",
     "3:12: from: hang acts on a connection as such, which has no direction", SAYS),
    ("tls: abort\nwhen: {path: /ws}", "3:12: path: tls acts before the request is there",
     SAYS),
    ("accept_delay: 1s\nwhen: {header: {A: b}}",
     "3:12: header: accept_delay acts before the request is there", SAYS),
    ("status: 503\nwhen: {json: {a: 1}}",
     "3:12: json: status acts on the handshake, not on messages", SAYS),
    ("latency: 1s\nwhen: {size: 5}",
     "3:12: size: latency acts on the bytes of a stream, not on messages", SAYS),
    ("limit: 1k\nwhen: {opcode: text}",
     "3:12: opcode: limit acts on the bytes of a stream, not on messages", SAYS),
    ("bad_accept: true\nwhen: {text: a}",
     "3:12: text: bad_accept acts on the handshake, not on messages", SAYS),
    ("status: 503\nwhen: {from: server}",
     "3:18: from: status acts on the request, which is the client's", SAYS),
    ("subprotocol: a\nwhen: {from: client}",
     "3:18: from: subprotocol acts on the answer, which is the server's", SAYS),
    ("drop_field: a\nwhen: {opcode: ping}",
     "3:20: opcode: drop_field works on text and binary messages only", SAYS),
    ("truncate: 1\nwhen: {opcode: [text, close]}",
     "3:27: opcode: truncate works on text and binary messages only", SAYS),
    ("drop: true\nwhen: {opcode: binary, text: a}",
     "3:28: text: the opcodes leave no text message", SAYS),
    ("drop: true\nwhen: {opcode: [ping, pong], json: {a: 1}}",
     "3:34: json: control frames carry no JSON", SAYS),
    ("violate: utf8\nwhen: {opcode: binary}",
     "3:20: opcode: only a text message can be invalid UTF-8", SAYS),
]
for action in ("set_field: {a: 1}", "rename_field: {a: b}", "corrupt: 1", "fragment: 1",
               "reorder: 1", "replace: x"):
    RULES.append((action + "\nwhen: {opcode: pong}", "3:20: opcode: "
                  f"{action.split(':')[0]} works on text and binary messages only", SAYS))

BAD = WHOLE + [(as_file(rule), error, says) for rule, error, says in RULES]


@pytest.mark.parametrize("text,error,says", BAD, ids=[e for _, e, _ in BAD])
def test_bad(tmp_path, text, error, says):
    """Exactly this error; and the schema says so too, where a schema can."""
    assert errors(check(tmp_path, text)) == [error]
    if says:
        assert not VALIDATOR.is_valid(yaml.safe_load(text))


def test_schema_accepts_what_it_cannot_judge():
    """CANNOT above is no excuse: of these the schema sees nothing but what is right."""
    judged = 0
    for text, error, says in BAD:
        try:
            value = None if says else yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            continue
        if value is not None and "&a" not in str(text):
            assert VALIDATOR.is_valid(value), error
            judged += 1
    assert judged >= 18


def test_all_errors_at_once(tmp_path):
    text = ("seed: x\nfaults:\n  - drop_feild: a\n"
            "    when: {from: srever, message: 0}\n  - delay: 3\n")
    answer = check(tmp_path, text)
    assert answer.returncode == 2 and not answer.stderr
    assert answer.stdout == """\
faults.yaml:1:7: seed: "x" is not a number from 0 on
    seed: x
          ^
faults.yaml:3:5: unknown key "drop_feild" (did you mean drop_field?)
    - drop_feild: a
      ^
faults.yaml:4:18: from: "srever" is not client or server (did you mean server?)
    when: {from: srever, message: 0}
                 ^
faults.yaml:4:35: message: counting starts at 1
    when: {from: srever, message: 0}
                                  ^
faults.yaml:5:12: delay: "3" is not a duration (like 250ms, 3s, 2m)
    - delay: 3
             ^
faults.yaml: 5 errors
"""


def test_many_errors(tmp_path):
    answer = check(tmp_path, "faults:\n" + "  - delay: 3\n" * 60)
    assert answer.returncode == 2
    assert len(re.findall(r"^faults\.yaml:\d+:12: ", answer.stdout, re.MULTILINE)) == 50
    assert answer.stdout.endswith("\nand 10 more\nfaults.yaml: 60 errors\n")


def test_excerpt_is_safe_and_short(tmp_path):
    """No control character reaches the terminal; a long line is cut around the place."""
    answer = check(tmp_path, "faults: [" + "{drop: true}, " * 20 + '{dorp: "\u202e\x1b[2J"}]')
    assert "\x1b" not in answer.stdout and "\u202e" not in answer.stdout
    assert answer.returncode == 2
    assert max(map(len, answer.stdout.splitlines())) < 130
    answer = check(tmp_path, "faults: [" + "{drop: true}, " * 20 + '{dorp: "\u202e"}]')
    first, excerpt, caret, _ = answer.stdout.splitlines()
    assert first.endswith('unknown key "dorp" (did you mean drop?)')
    assert excerpt[caret.index("^"):].startswith("dorp")
    assert "\\u{202e}" in excerpt


def test_wide_text_before_the_place(tmp_path):
    """Columns count characters, not bytes."""
    answer = check(tmp_path, "faults: [{name: äöü, dorp: }]")
    assert answer.stdout.startswith('faults.yaml:1:22: unknown key "dorp"')
    assert answer.stdout.splitlines()[2] == " " * (4 + 21) + "^"


def test_limits(tmp_path):
    """Anchors are no way to make much of little."""
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n"
                     for n in range(1, 9))
    answer = check(tmp_path, "a0: &a0 [" + "1, " * 9 + "1]\n" + laughs)
    assert errors(answer)[0].endswith(
        "too much: more than 100000 values, those that aliases repeat included")
    answer = check(tmp_path, "a: &a " + "x" * 2**20 + "\nb: [" + "*a, " * 30 + "]\n")
    assert errors(answer)[0].endswith(
        "too much: more than 16M of text, that which aliases repeat included")
    answer = check(tmp_path, "faults: " + "[" * 64 + "]" * 64)
    assert errors(answer)[0].endswith("nested too deep: 64 levels at most")
    answer = check(tmp_path, "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" +
                   "]" * 40)
    assert errors(answer)[0].endswith("nested too deep: 64 levels at most")
    answer = check(tmp_path, b"#" * (4 * 2**20 + 1))
    assert errors(answer) == ["1:1: rules are at most 4M long"]
    answer = check(tmp_path, "".join(f"x{n}: &x{n} 1\n" for n in range(1001)))
    assert errors(answer)[0].endswith("too many anchors: 1000 at most")


def test_payload_file(tmp_path):
    """It is looked up from the folder of the rule file, and is at most 16M long."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "answer.bin").write_bytes(base64.b64decode("AAECAw=="))
    (folder / "faults.yaml").write_text(as_file("replace: {file: answer.bin}"))
    assert faults("check", "rules/faults.yaml", cwd=tmp_path).returncode == 0
    assert faults("check", folder / "faults.yaml", cwd="/").returncode == 0
    os.truncate(folder / "answer.bin", 16 * 2**20)
    assert faults("check", folder / "faults.yaml").returncode == 0
    os.truncate(folder / "answer.bin", 16 * 2**20 + 1)
    answer = faults("check", folder / "faults.yaml")
    assert answer.returncode == 2 and "it is larger than 16M" in answer.stdout


# ---- one line ----

LINES = [
    ("drop_feild=a", '1:1: unknown key "drop_feild" (did you mean drop_field?)'),
    ("drop,mesage=1", '1:6: unknown key "mesage" (did you mean message?)'),
    ("drop,drop", '1:6: "drop" is here twice (before at 1:1)'),
    ("drop,delay=1s", "1:6: a second action: this rule does drop already"),
    ("from=server", "1:1: this rule has no action (see: wstape faults)"),
    ("", "1:1: expected a key, as in drop,from=server"),
    ("drop,", "1:6: expected a key, as in drop,from=server"),
    ("drop,,from=server", "1:6: expected a key, as in drop,from=server"),
    ("drop,=5", "1:6: expected a key, as in drop,from=server"),
    ("close=1005,reason=x", "1:7: code 1005 must not be in a close frame: 1000 to 1003, "
     "1007 to 1014 and 3000 to 4999 may (violate: close_code sends 1005)"),
    ("reason=x,close", '1:1: close needs "code"'),
    ("close=1011,resaon=x", '1:12: unknown key "resaon" (did you mean reason?)'),
    ("set_field=a", "1:11: set_field is written set_field.PATH=VALUE"),
    ("rename_field=a", "1:14: rename_field is written rename_field.PATH=NAME"),
    ("set_header=a",
     "1:12: set_header needs a map of names and values (in one line: set_header.NAME=VALUE)"),
    ("drop,json=a", "1:11: json needs a map (in one line: json.PATH=VALUE)"),
    ("drop,header=a", "1:13: header needs a map (in one line: header.NAME=GLOB)"),
    ("drop,message.x=1", '1:6: unknown condition "message.x" (did you mean message?)'),
    ("drop,json.a[=1", '1:13: "a[" is no path: expected an index, * or a name in quotes'),
    ("drop,message=[1,0]", "1:17: message: counting starts at 1"),
    ("drop,message=[1,]", "1:17: message needs a number or a range (like 3, 1..3, 5.., "
     "every 4)"),
    ('close=1000,reason="x', "1:19: this quote has no closing one (\\\" is a quote as such)"),
    ("replace.json={a},message=1", "1:15: no JSON: expected a key (a text like this needs "
     "quotes)"),
    ("insert,where=after", "1:1: insert needs one of text, json, file and binary"),
    ("refuse", "1:1: refuse needs a time: when: {time: 0s..3s}"),
    ("drop,seed=5", '1:6: unknown key "seed" (see: wstape faults)'),
    ("latency=1s,text=a", "1:12: text: latency acts on the bytes of a stream, not on "
     "messages"),
    ("drop,text=(", "1:12: text: no regular expression: missing closing parenthesis"),
    ("drop,after=x", '1:12: after: no rule is called "x"'),
    ("drop,name=a\x01b", "1:11: name: there are characters in it that cannot be shown"),
]


@pytest.mark.parametrize("line,error", LINES, ids=[e for _, e in LINES])
def test_bad_line(tmp_path, line, error):
    answer = built(tmp_path, line)
    assert answer.returncode == 2, answer
    assert re.findall(r"^--fault:(.*)$", answer.stderr, re.MULTILINE) == [error]
    column = int(error.split(":")[1])
    if column <= len(line) and line.isprintable():
        excerpt, caret = answer.stderr.splitlines()[1:3]
        assert excerpt == "    " + line and caret == " " * (3 + column) + "^"


# ---- the command ----


def test_several_files(tmp_path):
    (tmp_path / "a.yaml").write_text(as_file("drop: true"))
    (tmp_path / "b.yaml").write_text(as_file("delay: 3"))
    answer = faults("check", "a.yaml", "b.yaml", "c.yaml", cwd=tmp_path)
    assert answer.returncode == 3
    assert answer.stdout.startswith("a.yaml: 1 rule\nb.yaml:2:12: delay: ")
    assert answer.stderr == ("wstape: faults: cannot read c.yaml: No such file or "
                             "directory\n")
    assert faults("check", "a.yaml", "b.yaml", cwd=tmp_path).returncode == 2
    assert faults("check", "a.yaml", "a.yaml", cwd=tmp_path).returncode == 0


def test_standard_input():
    answer = faults("check", "-", input=as_file("drop: true"))
    assert (answer.returncode, answer.stdout) == (0, "-: 1 rule\n")


@pytest.mark.parametrize("args,words", [
    (["check"], "check needs a file: wstape faults check FILE..."),
    (["chekc"], '"chekc" is not check or schema (did you mean check?)'),
    (["schema", "x"], "schema takes nothing more"),
    (["--yaml"], "unknown option --yaml"),
])
def test_usage(args, words):
    answer = faults(*args)
    assert answer.returncode == 2 and words in answer.stderr, answer
