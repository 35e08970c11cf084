"""scripts/test counts cases, and nothing that failed or was skipped counts as passed."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("runner", ROOT / "scripts/test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counted(runner, said, result):
    outcome = runner.cases_of({"name": "frame", "result": result, "stderr": said})
    return outcome.passed, outcome.failed


def test_cmocka_cases(runner):
    said = (
        "[==========] frame: Running 2 test(s).\n"
        "[ RUN      ] one\n[       OK ] one\n[ RUN      ] two\n[       OK ] two\n"
        "[==========] frame: 2 test(s) run.\n[  PASSED  ] 2 test(s).\n"
    )
    assert counted(runner, said, "OK") == (2, 0)


def test_cmocka_failures(runner):
    said = (
        "[ RUN      ] one\n[       OK ] one\n[ RUN      ] two\n[  FAILED  ] two\n"
        "[==========] frame: 2 test(s) run.\n[  PASSED  ] 1 test(s).\n"
        "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] two\n"
    )
    assert counted(runner, said, "FAIL") == (1, 1)


def test_cmocka_skips_fail(runner):
    said = (
        "[ RUN      ] one\n[  SKIPPED ] one\n[  PASSED  ] 0 test(s).\n"
        "[  SKIPPED ] frame: 1 test(s), listed below:\n[  SKIPPED ] one\n"
    )
    assert counted(runner, said, "OK") == (0, 1)


def test_a_crash_fails_once(runner):
    assert counted(runner, "[ RUN      ] one\n[       OK ] one\n[ RUN      ] two\n",
                   "FAIL") == (1, 1)  # fmt: skip


def test_a_program_without_cases_is_one(runner):
    assert counted(runner, "", "OK") == (1, 0)
    assert counted(runner, "", "SKIP") == (0, 1)


SUITE = """
import pytest
def test_good(): pass
def test_bad(): assert 0
def test_skipped(): pytest.skip("no tool")
@pytest.mark.xfail
def test_expected(): assert 0
"""


def test_pytest_failures_and_skips_fail(runner, tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    outcome = runner.pytest(tmp_path, program="none")
    assert (outcome.passed, outcome.failed) == (1, 3)
    assert "no tool" in outcome.log or "test_bad" in outcome.log


def test_a_folder_without_tests_fails(runner, tmp_path):
    outcome = runner.pytest(tmp_path, program="none")
    assert (outcome.passed, outcome.failed) == (0, 1)


def test_tools_that_are_missing_fail(runner):
    runner.STAGES["missing"] = ("", lambda: runner.check("no-such-tool-here"))
    outcome = runner.perform("missing")
    assert (outcome.passed, outcome.failed) == (0, 1)
