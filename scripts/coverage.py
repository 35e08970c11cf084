"""What of the sources the tests run: a table by folder, and what no test reaches."""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-coverage"
FOLDERS = ["base", "wire", "captures", "inject", "net", "proxy", "replay", "cli"]
LISTED = ["base", "wire", "captures", "inject"]
PYTHON = "/usr/bin/python3"

# Of tests/integration: what is quick, or looks at what nothing else does.
PART = [
    ["-m", "sanitize and not slow", "tests/integration"],
    ["tests/integration/test_faults_check.py", "tests/integration/test_command.py",
     "tests/integration/test_options.py"],
]  # fmt: skip


def run(*command, **env):
    """Run to the end, quietly; what it said when it failed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-30:]), file=sys.stderr)
        print(f"FAILED: {' '.join(map(str, command))}", file=sys.stderr)
    return done.returncode == 0


def play(options):
    """Run the tests with counters at zero. Counts of failed ones are counts as well."""
    for old in BUILD.rglob("*.gcda"):
        old.unlink()
    well = run(
        "meson", "test", "-C", BUILD, "--no-rebuild", "--timeout-multiplier", "10",
        "--num-processes", os.cpu_count() or 1,
    )  # fmt: skip
    for words in [] if options.unit else [["tests/integration"]] if options.whole else PART:
        with tempfile.TemporaryDirectory() as scratch:
            well &= run(
                PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp",
                f"{scratch}/tmp", *words,
                WSTAPE=str(BUILD / "cli/wstape"), PYTHONDONTWRITEBYTECODE="1",
            )  # fmt: skip
    return well


def count():
    """The sources, by name, as gcovr counts them."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.json"
        filters = [word for name in FOLDERS for word in ("--filter", f"{name}/")]
        if not run(
            "gcovr", "--root", ROOT, *filters, "--json", report, "--gcov-executable", "gcov",
            "--gcov-ignore-parse-errors", BUILD,
        ):  # fmt: skip
            sys.exit(1)
        files = json.loads(report.read_text())["files"]
    return {file["file"]: file for file in sorted(files, key=lambda one: one["file"])}


def lines_of(file):
    return [line for line in file["lines"] if not line.get("gcovr/noncode")]


class Sum:
    """Of lines, branches and functions: how many there are, and how many are run."""

    def __init__(self):
        self.all = collections.Counter()
        self.hit = collections.Counter()

    def add(self, kind, counts):
        counts = list(counts)
        self.all[kind] += len(counts)
        self.hit[kind] += sum(n > 0 for n in counts)

    def add_file(self, file):
        lines = lines_of(file)
        self.add("lines", (line["count"] for line in lines))
        self.add("branches", (b["count"] for line in lines for b in line["branches"]))
        self.add("functions", (f["execution_count"] for f in file["functions"]))

    def text(self, kind):
        if not self.all[kind]:
            return f"{'-':>18}"
        share = 100 * self.hit[kind] / self.all[kind]
        return f"{self.hit[kind]:5d} of {self.all[kind]:5d} {share:4.0f}%"


def print_table(files):
    kinds = ["lines", "branches", "functions"]
    print(f"{'folder':10}" + "".join(f"{kind:>21}" for kind in kinds))
    whole = Sum()
    for folder in FOLDERS:
        total = Sum()
        for name, file in files.items():
            if name.startswith(folder + "/"):
                total.add_file(file)
                whole.add_file(file)
        print(f"{folder:10}" + "".join(f"{total.text(kind):>21}" for kind in kinds))
    print(f"{'all':10}" + "".join(f"{whole.text(kind):>21}" for kind in kinds))


def ranges(numbers, all_numbers):
    """Runs of uncovered lines, with nothing that is covered between them."""
    runs = []
    for number in all_numbers:
        if number not in numbers:
            runs.append(None)
        elif runs and runs[-1]:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [tuple(one) for one in runs if one]


def function_at(functions, number):
    found = None
    for function in functions:
        if function["lineno"] <= number:
            found = function
    return found


def print_uncovered(name, file):
    """Functions that are never called, and the lines of others that are never run."""
    text = (ROOT / name).read_text(errors="replace").splitlines()
    functions = sorted(file["functions"], key=lambda one: one["lineno"])
    lines = lines_of(file)
    missing = set()
    for line in lines:
        function = function_at(functions, line["line_number"])
        if not line["count"] and (function is None or function["execution_count"]):
            missing.add(line["line_number"])
    for function in functions:
        if not function["execution_count"]:
            print(f"{name}:{function['lineno']}: {function['name']}() is never called")
    for first, last in ranges(missing, sorted(line["line_number"] for line in lines)):
        function = function_at(functions, first)
        where = f"{function['name']}()" if function else "?"
        span = f"{first}" if first == last else f"{first}-{last}"
        print(f"{name}:{span}: {where}: {text[first - 1].strip()}")


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/coverage",
        description="Build with counters in build-coverage/, run the unit tests, the "
        "transcripts, the simulation and a part of tests/integration, and print what they "
        "run of each folder and what they leave out of some.",
    )
    parser.add_argument("folder", nargs="*", help=f"to list; default: {' '.join(LISTED)}")
    parser.add_argument("--unit", action="store_true", help="without tests/integration")
    parser.add_argument("--whole", action="store_true", help="with all of it")
    parser.add_argument("--again", action="store_true", help="count the last run again")
    options = parser.parse_args()
    unknown = set(options.folder) - set(FOLDERS)
    if unknown:
        parser.error(f"no folder {unknown.pop()!r}; there are: {' '.join(FOLDERS)}")
    well = True
    if not options.again:
        well = run(ROOT / "scripts/build", "coverage") and play(options)
    files = count()
    print_table(files)
    for folder in options.folder or LISTED:
        print(f"\n{folder}: not run")
        for name, file in files.items():
            if name.startswith(folder + "/"):
                print_uncovered(name, file)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
