"""The program's front door: names, suggestions, exit statuses."""

import json
import os
import pathlib
import re
import subprocess

import pytest

COMMANDS = ["record", "inject", "faults", "replay", "show", "verify", "ca",
            "demo"]


def wstape(*args, **kw):
    return subprocess.run(
        [os.environ["WSTAPE"], *args], capture_output=True, text=True, timeout=20, **kw
    )


def test_says_its_version():
    done = wstape("--version")
    assert (done.returncode, done.stderr) == (0, "")
    name, version = done.stdout.split()
    assert name == "wstape"
    assert all(part.isdigit() for part in version.split("."))


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["help"]])
def test_help_names_every_command(args):
    done = wstape(*args)
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_no_command_is_bad_usage():
    done = wstape()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: wstape COMMAND" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    asked = wstape(name, "--help")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.startswith(f"Usage: wstape {name}")
    assert "\nOptions:\n" in asked.stdout
    assert max(map(len, asked.stdout.splitlines())) <= 100
    assert wstape("help", name).stdout == asked.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_what_it_does_not_know(name):
    done = wstape(name, "--helpp")
    assert (done.returncode, done.stdout) == (2, "")
    said = f"wstape: {name}: unknown option --helpp (did you mean --help?)\n"
    assert done.stderr == said


@pytest.mark.parametrize(
    "typed, said",
    [
        ("recrod", 'unknown command "recrod" (did you mean record?)'),
        ("xylophone", 'unknown command "xylophone" (try: wstape --help)'),
        ("--verison", 'unknown option "--verison" (try: wstape --help)'),
        ("\x1b[2J", 'unknown command "\\x1b[2J" (try: wstape --help)'),
    ],
)
def test_typos_get_a_hint(typed, said):
    for args in [[typed], ["help", typed]] if typed[0] != "-" else [[typed]]:
        done = wstape(*args)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"wstape: {said}\n"


def test_output_that_cannot_be_written_is_an_error():
    with pathlib.Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [os.environ["WSTAPE"], "--help"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3
    assert "No space left on device" in done.stderr


def demo(folder):
    return wstape("demo", env={**os.environ, "TMPDIR": str(folder)})


def test_demo_records_and_shows_a_session(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    plain, _ = done.stdout.split("\n5. ")
    for word in ["/health", "/ws/test", "connection_established", "agent_thinking",
                 "tool_completed", "still there?", "1000"]:  # fmt: skip
        assert word in plain
    assert plain.count('"type":"chat_message"') == 2
    assert plain.count('"type":"agent_completed"') == 2
    assert "rule" not in plain and " ! " not in plain
    (tape,) = tmp_path.glob("wstape-demo-*/demo.wstape")
    assert str(tape) in plain
    assert tape.stat().st_mode & 0o777 == 0o600
    assert wstape("verify", str(tape)).returncode == 0


def test_demo_replays_what_it_recorded_with_the_backend_gone(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    replayed = done.stdout.split("\n5. ")[1].split("\n6. ")[0]
    (tape,) = tmp_path.glob("wstape-demo-*/demo.wstape")
    assert f"$ wstape replay {tape} " in replayed
    assert "two chats, a ping and the close were answered as ever" in replayed
    for line in ["GET /health: played 1 time, 1 on the tape",
                 "connection 2, answered from connection 2 of the tape: "
                 "2 of 2 messages came, all as on the tape",
                 "no mismatch"]:  # fmt: skip
        assert f"wstape: {line}\n" in done.stderr


def test_demo_client_says_where_it_wants_to_call(tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "WSTAPE_URL"}
    done = wstape("demo", "--client", env=env)
    assert done.returncode == 2 and "WSTAPE_URL" in done.stderr


def test_demo_breaks_the_session_as_the_rules_say(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    _, faulty = done.stdout.split("\n6. ")
    (tape,) = tmp_path.glob("wstape-demo-*/faulty.wstape")
    typed, rest = faulty.split("\n7. What the client saw:\n")
    assert f"--output {tape} \\\n" in typed
    assert re.findall(r"--fault '(.*)'", typed) == [
        "drop_field=tool_name,json.type=tool_executing",
        "close=1011,reason=Internal error,from=server,message=8",
    ]
    saw, shown = rest.split("\n8. ")
    assert saw.split("\n") == [
        "     tool_executing without tool_name",
        "     closed with 1011 (Internal error)",
    ]
    assert re.search(r"← ! drop_field +drop_field-\w+  text 4\n.* ⇐ text .*tool_exec", shown)
    assert re.search(r"← ! close +close-\w+  text 8\n", shown)
    assert re.search(r"⇐ close .* 1011 \(internal error\) Internal error\n", shown)
    assert wstape("verify", str(tape)).returncode == 0


def test_demo_takes_one_field_away_and_nothing_else(tmp_path):
    assert demo(tmp_path).returncode == 0
    (tape,) = tmp_path.glob("wstape-demo-*/faulty.wstape")
    lines = wstape("show", "--json", str(tape)).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    faults = [r for r in records if r["record"] == "fault"]
    assert [(f["action"], f["message"]) for f in faults] == [("drop_field", 4), ("close", 8)]
    (came,) = [r["text"] for r in records if r["record"] == "message" and r.get("altered")
               and "tool_executing" in r.get("text", "")]  # fmt: skip
    (went,) = [r["text"] for r in records if r["record"] == "delivered" and r["kind"] == "text"]
    assert went == came.replace('"tool_name":"get_bill",', "")


def test_demo_says_why_it_cannot_write(tmp_path):
    done = demo(tmp_path / "missing")
    assert (done.returncode, done.stdout) == (3, "")
    assert "No such file or directory (set TMPDIR)" in done.stderr
