"""The URL of the database: what its parts and options mean, and which are refused."""

from pathlib import Path

import pytest

from docserver.database.address import Address, Tls
from docserver.settings import SettingsError
from tests.support.certificate import make_certificate

SECRET = "s%40cret%2F"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mysql://ann:s%40%2Fcret@db.example:3307/ocr", Address("db.example", 3307, "ann", "s@/cret", "ocr")),
        ("mysql://db.example", Address("db.example", 3306, "root", "", "docserver")),
        ("mysql://[::1]:3307/x", Address("::1", 3307, "root", "", "x")),
        (
            "mysql:///ocr?unix_socket=%2Frun%2Fmy%20sql.sock",
            Address("localhost", 3306, "root", "", "ocr", "/run/my sql.sock"),
        ),
    ],
)
def test_an_address_is_read_from_its_url(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        ("", None),
        ("?ssl=off", None),
        ("?ssl=true", Tls(None, None, None, checks_host=True)),
        ("?ssl_ca=/etc/ca.pem", Tls("/etc/ca.pem", None, None, checks_host=True)),
        ("?ssl_ca=/ca&ssl_check_hostname=false", Tls("/ca", None, None, checks_host=False)),
        ("?ssl_cert=/c&ssl_key=/k", Tls(None, "/c", "/k", checks_host=True)),
        ("?ssl_cert=/both", Tls(None, "/both", None, checks_host=True)),
    ],
)
def test_each_option_of_tls_turns_it_on(options: str, tls: Tls | None) -> None:
    assert Address.parse(f"mysql://h/ocr{options}").tls == tls


@pytest.mark.parametrize(
    "options",
    ["colour=blue", "ssl_mode=required", "ssl=perhaps", "ssl=off&ssl_ca=/ca", "ssl_key=/k", "ssl_check_hostname="],
)
def test_options_that_cannot_be_used_are_refused_without_the_password(options: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Address.parse(f"mysql://user:{SECRET}@h/ocr?{options}", setting="mysql_replica_url")

    assert str(refused.value) == "DOCSERVER_MYSQL_REPLICA_URL has an option with a wrong name or value"


def test_certificates_are_trusted_for_the_host_alone_unless_told_otherwise(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    make_certificate(certificate, key)
    strict = Tls(str(certificate), str(certificate), str(key), checks_host=True).context()
    lax = Tls(str(certificate), None, None, checks_host=False).context()

    assert (strict.check_hostname, lax.check_hostname) == (True, False)
    assert strict.verify_mode == lax.verify_mode == strict.verify_mode.CERT_REQUIRED


@pytest.mark.parametrize("options", ["ssl_ca={}/none", "ssl_ca={}/nonsense", "ssl_cert={}/nonsense"])
def test_files_that_are_no_certificates_are_refused_without_their_paths(tmp_path: Path, options: str) -> None:
    (tmp_path / "nonsense").write_text("nonsense")
    address = Address.parse(f"mysql://h/ocr?{options.format(tmp_path)}")

    with pytest.raises(SettingsError) as refused:
        address.check_files()

    assert str(tmp_path) not in str(refused.value)
    assert "DOCSERVER_MYSQL_URL" in str(refused.value)
