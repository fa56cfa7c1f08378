"""The options of the command line."""

from collections.abc import Sequence

import pytest

from docserver.caller import Scope
from docserver.command_line import make_parser


@pytest.mark.parametrize(("text", "seconds"), [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800), ("45s", 45)])
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: int) -> None:
    options = make_parser().parse_args(["keys", "create", "--expires-in", text])

    assert options.expires_in == seconds


@pytest.mark.parametrize(
    "arguments",
    [
        ["keys"],
        ["keys", "create", "--expires-in", "90"],
        ["keys", "create", "--expires-in", "999999d"],
        ["keys", "create", "--scopes", "root"],
        ["keys", "create", "--scopes", ""],
        ["keys", "revoke", "dsk_12345678"],
        ["audit", "--limit", "0"],
        ["audit", "--limit", "-1"],
        ["tenants", "delete"],
        ["tenants", "delete", "Größe"],
        ["frobnicate"],
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(arguments)

    assert ended.value.code == 2
    assert "usage: docserver" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["keys", "rotate", "dsk_12345678"], ["quarantine", "restore", "scan.png"]])
def test_what_is_no_id_is_told_where_ids_are_shown(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(arguments)

    assert "argument id: a whole id, as the action `list` shows it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--embedded", "keys", "list"], ["keys", "--embedded", "list"], ["keys", "list", "--embedded"]]
)
def test_embedded_may_stand_anywhere(arguments: Sequence[str]) -> None:
    assert make_parser().parse_args(arguments).embedded is True


def test_without_options_the_service_runs_and_a_key_reads_and_writes_for_ever() -> None:
    nothing = make_parser().parse_args([])
    key = make_parser().parse_args(["keys", "create"])

    assert (nothing.command, nothing.embedded, nothing.worker_only) == (None, False, False)
    assert (key.tenant, key.scopes, key.expires_in) == ("default", {Scope.READ, Scope.WRITE}, None)
