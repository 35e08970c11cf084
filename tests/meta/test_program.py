"""The program's front door: names, suggestions, exit statuses."""

import os
import pathlib
import subprocess

import pytest

COMMANDS = ["record", "show", "verify", "ca", "demo"]


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
    for word in ["/health", "/ws/test", "connection_established", "agent_thinking",
                 "tool_completed", "still there?", "1000"]:  # fmt: skip
        assert word in done.stdout
    assert done.stdout.count('"type":"chat_message"') == 2
    assert done.stdout.count('"type":"agent_completed"') == 2
    (tape,) = tmp_path.glob("wstape-demo-*/demo.wstape")
    assert str(tape) in done.stdout
    assert tape.stat().st_mode & 0o777 == 0o600
    assert wstape("verify", str(tape)).returncode == 0


def test_demo_says_why_it_cannot_write(tmp_path):
    done = demo(tmp_path / "missing")
    assert (done.returncode, done.stdout) == (3, "")
    assert "No such file or directory (set TMPDIR)" in done.stderr
