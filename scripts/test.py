"""The stages of scripts/test, one line each, and a count of test cases at the end."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
GCC = ROOT / "build-gcc"
CLANG = ROOT / "build-clang"
CORPUS = ROOT / "tests/fuzz/corpus"
PYTHON = "/usr/bin/python3"
FUZZ_SECONDS = 15
LOG_TAIL = 60

# Sanitizers stop at the first finding, leaks included.
SANITIZE = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Outcome:
    """Test cases of a stage, and what to show when one failed."""

    def __init__(self, passed=0, failed=0, log=""):
        self.passed, self.failed, self.log = passed, failed, log

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.log += other.log if other.failed else ""
        return self


def run(*command, env=None):
    """Run to the end; (exit status, everything it said)."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout


def check(*command, env=None):
    """A command that is one test case."""
    status, log = run(*command, env=env)
    return Outcome(0, 1, log) if status else Outcome(1)


def cases_of(test):
    """Count the cases that one meson test, a cmocka program, has reported."""
    said = test.get("stdout", "") + test.get("stderr", "")
    passed = len(re.findall(r"^\[       OK \] ", said, re.MULTILINE))
    bad = sum(
        int(count)
        for count in re.findall(
            r"^\[  (?:FAILED|SKIPPED) +\] (?:.*: )?(\d+) test", said, re.MULTILINE
        )
    )
    if test["result"] == "OK" and not bad:
        return Outcome(max(passed, 1))
    return Outcome(passed, max(bad, 1), f"--- {test['name']}\n{said}\n")


def unit():
    """cmocka programs and transcripts, under ASan and UBSan."""
    logs = CLANG / "meson-logs"
    (logs / "testlog.json").unlink(missing_ok=True)
    status, log = run(
        "meson", "test", "-C", CLANG, "--no-rebuild", "--timeout-multiplier", "5",
        env=SANITIZE,
    )
    try:
        lines = (logs / "testlog.json").read_text().splitlines()
    except FileNotFoundError:
        return Outcome(0, 1, log)
    total = Outcome()
    for line in lines:
        total += cases_of(json.loads(line))
    if (status or not total.passed) and not total.failed:
        total += Outcome(0, 1, log)
    return total


def pytest(folder, *options, program, env=None):
    """The cases of a folder; one that is skipped has failed."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        status, log = run(
            PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml", report,
            "--basetemp", f"{scratch}/tmp", *options, folder,
            env={"WSTAPE": str(program), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )  # fmt: skip
        if not report.exists():
            return Outcome(0, 1, log)
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        count = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for suite in suites:
            for key in count:
                count[key] += int(suite.get(key, 0))
    bad = count["failures"] + count["errors"] + count["skipped"]
    if (status or not count["tests"]) and not bad:
        bad = 1
    return Outcome(max(count["tests"] - bad, 0), bad, log)


def fuzz_one(program):
    """Run one target over its corpus and a little beyond; new inputs are not kept."""
    corpus = CORPUS / program.name.removeprefix("fuzz_")
    if not corpus.is_dir() or not any(corpus.iterdir()):
        return Outcome(0, 1, f"{program.name}: no corpus in {corpus}\n")
    with tempfile.TemporaryDirectory() as scratch:
        return check(
            program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=1024",
            "-print_final_stats=1", f"-artifact_prefix={CLANG}/{program.name}-",
            scratch, corpus,
            env=SANITIZE,
        )  # fmt: skip


def fuzz():
    folder = CLANG / "tests/fuzz"
    sources = sorted((ROOT / "tests/fuzz").glob("fuzz_*.c"))
    total = Outcome()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for outcome in pool.map(fuzz_one, [folder / source.stem for source in sources]):
            total += outcome
    return total if sources else Outcome(0, 1, "no fuzz targets\n")


def integration():
    return pytest("tests/integration", program=GCC / "cli/wstape")


def conformance():
    return pytest("tests/conformance", program=GCC / "cli/wstape")


def sanitized():
    """The integration tests that say so, once more against the sanitizers' build."""
    return pytest(
        "tests/integration", "-m", "sanitize and not slow",
        program=CLANG / "cli/wstape", env=SANITIZE,
    )  # fmt: skip


def clients():
    status, log = run("tests/clients/setup.sh")
    if status:
        return Outcome(0, 1, log)
    return pytest("tests/clients", program=GCC / "cli/wstape")


STAGES = {
    "format": ("clang-format", lambda: check("scripts/check-format")),
    "layers": ("include lines against ARCHITECTURE.md", lambda: check("scripts/check-layers")),
    "gcc": ("gcc, release, warnings as errors", lambda: check("scripts/build", "gcc")),
    "clang": (
        "clang, ASan and UBSan, warnings as errors",
        lambda: check("scripts/build", "clang"),
    ),
    "meta": (
        "tests of the checks, the scripts and the tree",
        lambda: pytest("tests/meta", program=GCC / "cli/wstape"),
    ),
    "unit": ("unit tests and transcripts under the sanitizers", unit),
    "fuzz": (f"every fuzz target, corpus and {FUZZ_SECONDS} s", fuzz),
    "tidy": ("clang-tidy", lambda: check("scripts/check-tidy")),
    "integration": ("real sockets, crashes, full disks", integration),
    "conformance": ("WebSocket cases, direct and through wstape", conformance),
    "sanitized": ("part of integration against ASan and UBSan", sanitized),
    "clients": ("real clients and servers", clients),
}

# What must have been built for a stage that was chosen alone.
NEEDS = {
    "meta": ["gcc"],
    "unit": ["clang"],
    "fuzz": ["clang"],
    "integration": ["gcc"],
    "conformance": ["gcc"],
    "sanitized": ["clang"],
    "clients": ["gcc"],
}


def stages_chosen():
    parser = argparse.ArgumentParser(
        prog="scripts/test",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Build and run all tests, or the stages named.",
        epilog="stages:\n"
        + "".join(f"  {name:12} {words}\n" for name, (words, _) in STAGES.items()),
    )
    parser.add_argument("stage", nargs="*", help="default: all, in this order")
    chosen = parser.parse_args().stage or list(STAGES)
    unknown = [name for name in chosen if name not in STAGES]
    if unknown:
        parser.error(f"no stage {unknown[0]!r}; there are: {' '.join(STAGES)}")
    wanted = {need for name in chosen for need in NEEDS.get(name, [])} | set(chosen)
    return [name for name in STAGES if name in wanted]


def perform(name):
    started = time.monotonic()
    try:
        outcome = STAGES[name][1]()
    except OSError as error:
        outcome = Outcome(0, 1, f"{error}\n")
    seconds = time.monotonic() - started
    state = "FAIL" if outcome.failed else "ok  "
    print(
        f"{state}  {name:12} {seconds:5.0f} s   {outcome.passed} passed"
        + (f", {outcome.failed} failed" if outcome.failed else ""),
        flush=True,
    )
    if outcome.failed:
        for line in outcome.log.splitlines()[-LOG_TAIL:]:
            print(f"      {line}", flush=True)
    return outcome


def main():
    total = Outcome()
    for name in stages_chosen():
        total += perform(name)
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
