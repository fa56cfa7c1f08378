"""Settings: what is read, what is refused and how that is told."""

import errno
import os
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from docserver.cpu import usable_cores
from docserver.setting_types import Rate
from docserver.settings import Settings, SettingsError, load, unknown, variable
from docserver.variables import PREFIX


def loaded(**given: str) -> Settings:
    """Settings from an environment that holds only these, by their field names."""
    return load({variable(name): text for name, text in given.items()}, dotenv=None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "127.0.0.1", "127.0.0.1"),
        ("port", "8123", 8123),
        ("port", " 8123 ", 8123),
        ("slots", "0", 0),
        ("data_dir", "/srv/data", Path("/srv/data")),
        ("mysql_timeout_s", "2.5", 2.5),
        ("mysql_timeout_s", "3", 3.0),
        ("embedded", "on", True),
        ("embedded", "TRUE", True),
        ("embedded", "yes", True),
        ("embedded", "1", True),
        ("rate_limit", "off", False),
        ("rate_limit", "False", False),
        ("rate_limit", "no", False),
        ("rate_limit", "0", False),
        ("rate_limit_default", "5/10", Rate(5, 10)),
        ("rate_limit_costs", "upload=5, list=0", (("upload", 5), ("list", 0))),
        ("trusted_proxies", "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        (
            "allowed_hosts",
            "LocalHost, docs.example.org.:8000,[::1], ::1",
            ("localhost", "docs.example.org", "::1", "::1"),
        ),
        ("allowed_hosts", "*.example.org,.example.com,*", ("*.example.org", ".example.com", "*")),
        ("log_level", "DEBUG", "DEBUG"),
        ("mysql_url", "mysql:///x?unix_socket=/s", "mysql:///x?unix_socket=/s"),
        ("redis_url", "rediss://h:1/0", "rediss://h:1/0"),
        ("redis_url", "unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_each_kind_of_setting_is_read_from_its_text(name: str, text: str, value: Any) -> None:
    assert getattr(loaded(**{name: text}), name) == value


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    assert loaded(data_dir="~/documents").data_dir == Path("/home/someone/documents")


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert loaded(port="", host="  ") == Settings()


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("port", "http", "a whole number"),
        ("port", "80.5", "a whole number"),
        ("port", "65536", "at most 65535"),
        ("data_dir", "~nobody-of-this-name/data", "a path"),
        ("data_dir", "/data/\udcff", "a path"),
        ("lease_s", "soon", "a number"),
        ("embedded", "perhaps", "on or off"),
        ("rate_limit_default", "60", "tokens/seconds"),
        ("rate_limit_default", "0/60", "tokens/seconds"),
        ("rate_limit_reads", "60/0", "tokens/seconds"),
        ("rate_limit_reads", "1/2/3", "tokens/seconds"),
        ("rate_limit_default", "99999999999999999999/60", "tokens/seconds"),
        ("rate_limit_default", "60/99999999999999999999", "tokens/seconds"),
        ("rate_limit_costs", "upload=99999999999999999999", "upload=5"),
        ("host", "127.0.0.1\nexample.org", "printable text"),
        ("rate_limit_costs", "upload", "upload=5"),
        ("rate_limit_costs", "nothing=1", "job, result"),
        ("rate_limit_costs", "upload=-1", "upload=5"),
        ("trusted_proxies", "10.0.0.1/8", "10.0.0.0/8"),
        ("trusted_proxies", "localhost", "10.0.0.0/8"),
        ("allowed_hosts", "https://docs.example.org", "host names, as in localhost"),
        ("allowed_hosts", "docs.*.org", "host names"),
        ("allowed_hosts", "localhost,", "host names"),
        ("allowed_hosts", "[::1]:8000x", "host names"),
        ("log_level", "LOUD", "DEBUG, INFO, WARNING, ERROR"),
        ("sandbox", "on", "prefer, require, off"),
        ("mysql_url", "postgres://x", "mysql://"),
        ("mysql_url", "mysql://u@host:port/x", "a port that is no number"),
        ("mysql_url", "mysql://u:p/w@host/x", "written as %40 %3A %2F"),
        ("mysql_url", "mysql://u:1/w@host/x", "written as %40 %3A %2F"),
        ("mysql_replica_url", "mysql://u:1#w@host/x", "written as %40 %3A %2F"),
        ("redis_url", "http://x", "redis://, rediss://, unix://"),
        ("redis_url", "redis://host:port", "a port that is no number"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable_and_what_would_be_right(name: str, text: str, wanted: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(**{name: text})

    message = str(refused.value)
    assert message.startswith(variable(name))
    assert wanted in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_of_seconds_is_finite(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^DOCSERVER_LEASE_S"):
        loaded(lease_s=text)


KINDS = get_type_hints(Settings)

LEAST = {
    setting.name: setting.metadata["least"] for setting in fields(Settings) if setting.metadata["least"] is not None
}


@pytest.mark.parametrize("name", LEAST)
def test_a_number_below_its_minimum_is_refused_and_the_minimum_taken(name: str) -> None:
    least = LEAST[name]
    whole = KINDS[name] is not float

    accepted = loaded(**{name: f"{least:g}"})
    with pytest.raises(SettingsError, match=rf"^{variable(name)} must be at least {least:g}"):
        loaded(**{name: str(least - 1) if whole else f"{least * 0.99 - 0.0001:f}"})

    assert getattr(accepted, name) == least


@pytest.mark.parametrize("name", LEAST)
def test_a_number_above_its_maximum_is_refused_and_the_maximum_taken(name: str) -> None:
    most = next(setting.metadata["most"] for setting in fields(Settings) if setting.name == name)

    accepted = loaded(**{name: str(most)})
    with pytest.raises(SettingsError, match=rf"^{variable(name)} must be at most {most}"):
        loaded(**{name: "99999999999999999999"})

    assert getattr(accepted, name) == most


def test_what_must_be_positive_has_a_minimum() -> None:
    positive = {setting.name for setting in fields(Settings) if KINDS[setting.name] in (int, float, int | None)}

    assert positive == LEAST.keys()


def test_the_defaults_are_those_that_others_rely_on() -> None:
    defaults = load({}, dotenv=None)

    assert (defaults.listen_host, defaults.port, defaults.data_dir) == ("127.0.0.1", 8000, Path("data"))
    assert (defaults.embedded, defaults.rate_limit, defaults.log_level) == (False, True, "INFO")
    assert (defaults.mysql_url, defaults.redis_url) == ("", "")
    assert defaults.rate_limit_default == Rate(60, 60)
    assert defaults.slot_count == usable_cores() >= 1


def test_slots_are_as_many_as_are_asked_for() -> None:
    assert loaded(slots="0").slot_count == 0
    assert loaded(slots="7").slot_count == 7
    assert loaded(slots="-1").slot_count == usable_cores()


def test_megabytes_and_megapixels_are_decimal() -> None:
    settings = loaded(max_upload_mb="0.5", max_page_mp="2")

    assert (settings.max_upload_bytes, settings.max_page_pixels) == (500_000, 2_000_000)


def test_a_route_costs_one_token_unless_another_cost_is_set() -> None:
    settings = loaded(rate_limit_costs="upload=5,result=0")

    assert [settings.cost(route) for route in ("upload", "result", "list")] == [5, 0, 1]


def test_every_setting_says_what_it_means() -> None:
    assert all(setting.metadata["meaning"] for setting in fields(Settings))


def test_a_dotenv_file_is_read_but_the_environment_wins(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DOCSERVER_PORT=1234\nDOCSERVER_HOST=10.1.1.1\n# DOCSERVER_SLOTS=9\n")

    settings = load({"DOCSERVER_PORT": "4321"}, dotenv=dotenv)

    assert (settings.port, settings.host, settings.slots) == (4321, "10.1.1.1", -1)


def test_a_wrong_value_in_the_dotenv_file_is_refused_like_any_other(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DOCSERVER_PORT=x\n")

    with pytest.raises(SettingsError, match=r"^DOCSERVER_PORT"):
        load({}, dotenv=dotenv)


def test_a_dotenv_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"DOCSERVER_HOST=\xff\n")

    with pytest.raises(SettingsError, match=f"^the settings in {dotenv} must be text in UTF-8$"):
        load({}, dotenv=dotenv)


def test_a_dotenv_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DOCSERVER_PORT=1234\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)

    with pytest.raises(SettingsError, match=f"^the settings in {dotenv} cannot be read: Permission denied$"):
        load({}, dotenv=dotenv)


def test_the_dotenv_file_of_the_working_directory_is_read_with_the_process_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DOCSERVER_PORT=1234\nDOCSERVER_HOST=10.1.1.1\n")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCSERVER_HOST", "10.2.2.2")

    settings = load()

    assert (settings.port, settings.host) == (1234, "10.2.2.2")


def test_a_missing_dotenv_file_is_no_fault(tmp_path: Path) -> None:
    assert load({}, dotenv=tmp_path / "none") == Settings()


def test_variables_that_set_nothing_are_found_and_settings_are_not() -> None:
    environ = {
        "DOCSERVER_COLOUR": "1",
        "DOCSERVER_": "1",
        "docserver_colour": "1",
        "DOCSERVER_PORT": "1",
        "DOCSERVER_SERVICE_HOST": "10.0.0.1",
        "DOCSERVER_TEST_MYSQL_URL": "x",
        "PATH": "x",
    }

    assert unknown(environ, dotenv=None) == ["DOCSERVER_", "DOCSERVER_COLOUR", "docserver_colour"]


def test_variables_that_set_nothing_are_found_in_the_dotenv_file_too(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DOCSERVER_COLOUR=1\nDOCSERVER_TASTE\nDOCSERVER_PORT=1\nMYSQL_PASSWORD=x\n")

    assert unknown({"DOCSERVER_SOUND": "x"}, dotenv=dotenv) == [
        "DOCSERVER_COLOUR",
        "DOCSERVER_SOUND",
        "DOCSERVER_TASTE",
    ]
