"""The command line, as far as it can be tested without starting the service."""

import logging

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
