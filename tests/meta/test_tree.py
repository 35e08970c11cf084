"""Nothing of the machine where a file was written stays in the tree."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Spelled in pieces, so that this file does not find itself.
MACHINE = re.compile(
    "|".join(["/" + "work/", "/" + "root/", "/" + "home/[a-z]", "/" + "tmp/(build|house|bash|pytest)"])
)

URL = re.compile(
    r"\b(?:https?|wss?)://(?:[^\s/@\"'<>]*@)?"
    r"(\[[0-9a-fA-F]*:[0-9a-fA-F:]*\]|[A-Za-z0-9][A-Za-z0-9.-]*)"
)

# Hosts that documents, tests and lock files may name: reserved ones, and the public homes
# of standards and packages. A mirror or a machine of our own is none of them.
HOSTS = re.compile(
    r"localhost|127\.\d+\.\d+\.\d+|\[::1?\]|0\.0\.0\.0"
    r"|192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|\[2001:db8:[0-9a-f:]*\]"
    r"|(.*\.)?(example|test|invalid|localhost)|(.*\.)?example\.(com|org|net)"
    r"|registry\.npmjs\.org|(www\.)?(rfc-editor\.org|github\.com|no-color\.org)"
    r"|json-schema\.org|opencollective\.com",
    re.IGNORECASE,
)
ONE_LABEL = re.compile(r"[A-Za-z0-9-]+")  # "http://h/", "ws://a": no host of the world


def tracked():
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, names):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_bytes().decode(errors="replace")


def test_no_path_of_a_machine():
    found = [
        f"{name}: {match.group()}"
        for name, text in tracked()
        for match in MACHINE.finditer(text)
    ]
    assert found == []


def test_no_host_but_known_ones():
    found = [
        f"{name}: {host}"
        for name, text in tracked()
        for host in URL.findall(text)
        if not HOSTS.fullmatch(host.rstrip(".")) and not ONE_LABEL.fullmatch(host)
    ]
    assert found == []


def test_no_large_file():
    found = [name for name, text in tracked() if len(text) > 1_000_000]
    assert found == []


def test_scripts_say_what_they_need():
    """Scripts start with an interpreter that Debian has at that place."""
    known = {"#!/bin/sh", "#!/usr/bin/python3"}
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.suffix == ""]
    assert {path.read_text().splitlines()[0] for path in scripts} == known
    assert all(path.stat().st_mode & 0o111 for path in scripts)


LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_documents_link_to_what_is_there():
    found = [
        f"{name}: {target}"
        for name, text in tracked()
        if name.endswith(".md")
        for target in LINK.findall(text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert found == []
