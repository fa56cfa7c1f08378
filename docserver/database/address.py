"""The address of a database server, and how connections to it are encrypted, parsed from a URL. Opens no connection."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from docserver.setting_files import wrong_file
from docserver.setting_types import parse
from docserver.settings import SettingsError, variable


@dataclass(frozen=True, slots=True)
class Tls:
    """How both sides of an encrypted connection prove who they are. The server's certificate must always be trusted."""

    ca: str | None
    """File with the certificates that sign the server's; None for those that the system knows."""
    certificate: str | None
    """File with a certificate of this side's own."""
    key: str | None
    """File with its key; None if the certificate's file has it."""
    checks_host: bool
    """True if the certificate must be for the host that the URL names."""

    def context(self) -> ssl.SSLContext:
        """Read the files; raises OSError. They are read for each connection, so certificates may be renewed."""
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = self.checks_host
        if self.certificate:
            # Without a password, OpenSSL would ask the terminal for that of an encrypted key.
            context.load_cert_chain(self.certificate, self.key, password="")
        return context


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a database server: `mysql://user:password@host:port/database?option=value&…`."""

    host: str
    port: int
    user: str
    password: str
    database: str
    unix_socket: str | None = None
    tls: Tls | None = None

    @classmethod
    def parse(cls, url: str, *, setting: str = "mysql_url") -> "Address":
        """Read the URL of this setting. Raises SettingsError, whose text has no part of it: it may have a password."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            unix_socket = options.pop("unix_socket", None)
            tls = _tls(options)
        except ValueError as error:
            raise SettingsError(f"{variable(setting)} has an option with a wrong name or value") from error
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")) or "docserver",
            unix_socket=unix_socket,
            tls=tls,
        )

    @property
    def is_local(self) -> bool:
        """True if the server is on this machine."""
        return bool(self.unix_socket) or self.host in ("localhost", "::1") or self.host.startswith("127.")

    def check_files(self, *, setting: str = "mysql_url") -> None:
        """Raise SettingsError if the files of certificates cannot be used. Blocks."""
        if self.tls is None:
            return
        for option, path in (("ssl_ca", self.tls.ca), ("ssl_cert", self.tls.certificate), ("ssl_key", self.tls.key)):
            if path and (wrong := wrong_file(path)):
                raise SettingsError(f"{variable(setting)} has a wrong {option}: {wrong}")
        try:
            self.tls.context()
        except OSError as error:
            raise SettingsError(
                f"{variable(setting)} names a file in ssl_ca, ssl_cert or ssl_key that is no certificate or key"
            ) from error


def _tls(options: Mapping[str, str]) -> Tls | None:
    """What the options say of TLS; None if they say nothing. Raises ValueError."""
    given = {"ssl": "on" if options else "off", "ssl_check_hostname": "on", **options}
    tls = Tls(
        ca=given.pop("ssl_ca", None),
        certificate=given.pop("ssl_cert", None),
        key=given.pop("ssl_key", None),
        checks_host=parse(bool, given.pop("ssl_check_hostname")),
    )
    wanted = parse(bool, given.pop("ssl"))
    if given or (not wanted and options.keys() - {"ssl"}) or (tls.key and not tls.certificate):
        raise ValueError
    return tls if wanted else None
