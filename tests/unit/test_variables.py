"""Names of environment variables: what Kubernetes adds is ignored, and what resembles a setting is refused."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from docserver.settings import Settings, SettingsError, load, service_links, unknown, variable
from docserver.variables import PREFIX, is_service_link, meant_by, mistakes_between

SETTINGS = [variable(setting.name) for setting in fields(Settings)]

SERVICE_LINKS = {
    "DOCSERVER_SERVICE_HOST": "10.0.0.1",
    "DOCSERVER_SERVICE_PORT": "8000",
    "DOCSERVER_SERVICE_PORT_HTTP": "8000",
    "DOCSERVER_SERVICE_PORT_METRICS_2": "9000",
    "DOCSERVER_PORT": "tcp://10.0.0.1:8000",
    "DOCSERVER_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "DOCSERVER_PORT_8000_TCP_ADDR": "10.0.0.1",
    "DOCSERVER_PORT_8000_TCP_PORT": "8000",
    "DOCSERVER_PORT_8000_TCP_PROTO": "tcp",
    "DOCSERVER_PORT_53_UDP": "udp://10.0.0.1:53",
    "DOCSERVER_PORT_53_UDP_PROTO": "udp",
    "DOCSERVER_PORT_9_SCTP": "sctp://10.0.0.1:9",
    "DOCSERVER_MYSQL_SERVICE_HOST": "10.0.0.2",
    "DOCSERVER_MYSQL_SERVICE_PORT": "3306",
    "DOCSERVER_MYSQL_PORT": "tcp://10.0.0.2:3306",
    "DOCSERVER_MYSQL_PORT_3306_TCP": "tcp://10.0.0.2:3306",
    "DOCSERVER_MYSQL_PORT_3306_TCP_ADDR": "fd00::2",
    "DOCSERVER_RATE_LIMIT_PORT": "tcp://[fd00::3]:80",
}


def test_what_kubernetes_adds_for_a_service_sets_nothing_and_is_not_unknown() -> None:
    assert load(SERVICE_LINKS, dotenv=None) == Settings()
    assert unknown(SERVICE_LINKS, dotenv=None) == []
    assert service_links({**SERVICE_LINKS, "PATH": "x", "DOCSERVER_HOST": "::1"}) == sorted(SERVICE_LINKS)


@pytest.mark.parametrize("url", ["tcp://10.0.0.1:8000", "udp://10.0.0.1:53", "sctp://10.0.0.1:9", "tcp://[::1]:80"])
def test_the_url_of_a_service_does_not_hide_the_port_of_the_dotenv_file(url: str, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DOCSERVER_PORT=8123\n")

    assert load({"DOCSERVER_PORT": url}, dotenv=dotenv).port == 8123


def test_a_url_in_the_dotenv_file_is_no_port_because_kubernetes_does_not_write_that_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DOCSERVER_PORT=tcp://10.0.0.1:8000\n")

    with pytest.raises(SettingsError, match=r"^DOCSERVER_PORT must be a whole number"):
        load({}, dotenv=dotenv)


@pytest.mark.parametrize("value", ["", "8000", "http://10.0.0.1:8000", "tcp"])
def test_no_setting_is_taken_for_a_variable_of_kubernetes(value: str) -> None:
    assert not [name for name in SETTINGS if is_service_link(name, value)]


def misspellings(name: str) -> Iterator[str]:
    """The name with each of its letters dropped or doubled, and each two neighbours swapped."""
    for i in range(len(PREFIX), len(name)):
        yield name[:i] + name[i + 1 :]
        yield name[:i] + name[i] + name[i:]
        yield name[:i] + name[i : i + 2][::-1] + name[i + 2 :]


@pytest.mark.parametrize("name", SETTINGS)
def test_each_name_with_one_wrong_letter_is_refused_unless_it_is_another_setting(name: str) -> None:
    wrong = set(misspellings(name)) - set(SETTINGS)

    assert wrong
    for misspelt in wrong:
        with pytest.raises(SettingsError) as refused:
            load({misspelt: "1"}, dotenv=None)
        assert str(refused.value).startswith(f"{misspelt} is not a setting; did you mean {PREFIX}")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("DOCSERVER_RATE_LIMT", "DOCSERVER_RATE_LIMIT"),
        ("DOCSERVER_RATELIMIT", "DOCSERVER_RATE_LIMIT"),
        ("DOCSERVER_LIMIT_RATE", "DOCSERVER_RATE_LIMIT"),
        ("DOCSERVER_SANBOX", "DOCSERVER_SANDBOX"),
        ("DOCSERVER_SAND_BOX", "DOCSERVER_SANDBOX"),
        ("docserver_sandbox", "DOCSERVER_SANDBOX"),
        ("Docserver_Sandboxes", "DOCSERVER_SANDBOX"),
        ("DOCSERVER_TRUSTED_PROXY", "DOCSERVER_TRUSTED_PROXIES"),
        ("DOCSERVER_LANGUAGE", "DOCSERVER_LANGUAGES"),
        ("DOCSERVER_RETENTION", "DOCSERVER_RETENTION_S"),
        ("DOCSERVER_MAX_UPLOAD", "DOCSERVER_MAX_UPLOAD_MB"),
        ("DOCSERVER_UPLOAD_MAX_MB", "DOCSERVER_MAX_UPLOAD_MB"),
        ("DOCSERVER_HOSTT", "DOCSERVER_HOST"),
        ("DOCSERVER_PROT", "DOCSERVER_PORT"),
        ("DOCSERVER_SLOT", "DOCSERVER_SLOTS"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_one_that_was_meant(wrong: str, meant: str, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{wrong}=1\n")
    message = f"^{wrong} is not a setting; did you mean {meant}\\?$"

    with pytest.raises(SettingsError, match=message):
        load({wrong: "1"}, dotenv=None)
    with pytest.raises(SettingsError, match=message):
        load({}, dotenv=dotenv)


@pytest.mark.parametrize(
    "name",
    [
        "DOCSERVER_",
        *(
            "DOCSERVER_HOME",
            "DOCSERVER_IMAGE",
            "DOCSERVER_VERSION",
            "DOCSERVER_TAG",
            "DOCSERVER_URL",
            "DOCSERVER_TOKEN",
        ),
        *("DOCSERVER_USER", "DOCSERVER_PASSWORD", "DOCSERVER_MYSQL_PASSWORD", "DOCSERVER_REPLICAS", "DOCSERVER_COLOUR"),
    ],
)
def test_another_name_is_ignored(name: str) -> None:
    assert load({name: "1"}, dotenv=None) == Settings()
    assert unknown({name: "1"}, dotenv=None) == [name]


def test_of_two_names_the_nearer_one_is_meant() -> None:
    assert meant_by("DOCSERVER_RATE_LIMITS", SETTINGS) == "DOCSERVER_RATE_LIMIT"
    assert meant_by("DOCSERVER_RATE_LIMIT_READ", SETTINGS) == "DOCSERVER_RATE_LIMIT_READS"


@pytest.mark.parametrize(
    ("wrong", "right", "mistakes"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("ab", "", 2),
        ("ab", "ba", 1),
        ("abc", "abd", 1),
        ("abcd", "acbde", 2),
        ("a", "b", 1),
    ],
)
def test_mistakes_are_letters_added_dropped_replaced_and_swapped(wrong: str, right: str, mistakes: int) -> None:
    assert mistakes_between(wrong, right) == mistakes
