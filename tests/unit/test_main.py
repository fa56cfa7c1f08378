"""The command line, as far as it can be tested without starting the service."""

import logging

import pytest

from docserver import __main__ as main


def test_a_variable_that_is_no_setting_is_warned_of_and_does_not_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCSERVER_PORTT", "8000")

    main._warn_of_unknown_settings()

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "unknown setting ignored")
    assert vars(record)["variable"] == "DOCSERVER_PORTT"
