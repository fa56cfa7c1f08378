"""The command line, as far as it can be tested without starting the service."""

import logging
import os
import signal
import subprocess
import sys

import pytest

from docserver import __main__ as main


def test_a_variable_that_is_no_setting_is_warned_of_and_does_not_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCSERVER_COLOUR", "blue")

    main._log_ignored_variables()

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "unknown setting ignored")
    assert vars(record)["variable"] == "DOCSERVER_COLOUR"


def test_what_kubernetes_adds_for_a_service_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("DOCSERVER_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("DOCSERVER_SERVICE_HOST", "10.0.0.1")

    main._log_ignored_variables()

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.INFO, "variables of Kubernetes services ignored")
    assert vars(record)["variables"] == ["DOCSERVER_PORT", "DOCSERVER_SERVICE_HOST"]


def ended(change: str, *arguments: str) -> tuple[int, str]:
    """The exit status and the output of a command line with a changed `main`."""
    program = f"""
import asyncio, os, signal, sys
from docserver import __main__ as main

def ends(number):
    os.kill(os.getpid(), number)
    signal.pause()

async def interrupted(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()

# Where the tests run in the background of a script, they and their processes ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
{change}
sys.argv = ["docserver", *{arguments}]
main.main()
"""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
    command = [sys.executable, "-c", program]
    process = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60, check=False)
    return process.returncode, process.stdout + process.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_program_is_being_loaded_ends_it_with_0_and_without_a_word(number: signal.Signals) -> None:
    assert ended(f"main._run = lambda *_, **__: ends({number:d})", "--embedded") == (0, "")


def test_an_interrupted_command_leaves_no_traceback() -> None:
    assert ended("main._quarantine = interrupted", "quarantine", "list", "--embedded") == (130, "")


def test_an_error_of_the_system_ends_it_with_a_line_that_names_the_file() -> None:
    change = """
async def refused(*_, **__):
    raise PermissionError(13, "Permission denied", "/proc/self/mountinfo")

main._quarantine = refused
"""

    status, output = ended(change, "quarantine", "list", "--embedded")

    assert status == os.EX_UNAVAILABLE
    assert "the system reports: Permission denied (/proc/self/mountinfo)" in output
    assert "Traceback" not in output


def test_originals_that_could_not_be_restored_make_a_command_fail() -> None:
    change = """
async def incomplete(*_, **__):
    return False

main._quarantine = incomplete
"""

    assert ended(change, "quarantine", "restore", "--all", "--embedded") == (1, "")
