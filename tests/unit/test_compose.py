"""What docker-compose.yml opens to others, and where its passwords come from."""

import os
import re
import string
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis.asyncio
import yaml

from docserver.database.address import Address
from docserver.settings import load

TOP = Path(__file__).parents[2]
TEXT = (TOP / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
PASSWORDS = {"MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD", "REDIS_PASSWORD"}


def test_every_password_is_refused_when_it_is_unset() -> None:
    assert set(re.findall(r"\$\{(\w*PASSWORD)\b", TEXT)) == PASSWORDS
    assert TEXT.count("PASSWORD:?") == len(re.findall(r"\$\{\w*PASSWORD", TEXT))


@pytest.mark.parametrize("service", SERVICES)
def test_no_password_is_on_a_command_line(service: str) -> None:
    lines = [SERVICES[service].get("command", []), SERVICES[service].get("healthcheck", {}).get("test", [])]

    assert not re.search(r"\$\{\w*PASSWORD", str(lines))


def test_redis_asks_for_the_password_that_the_services_give_it() -> None:
    assert 'requirepass "$$REDISCLI_AUTH"' in SERVICES["redis"]["command"][-1]
    assert "${REDIS_PASSWORD" in SERVICES["redis"]["environment"]["REDISCLI_AUTH"]
    for service in ("api", "worker"):
        assert SERVICES[service]["environment"]["DOCSERVER_REDIS_URL"].startswith("redis://:${REDIS_PASSWORD")


def test_only_the_database_gets_the_password_of_its_root() -> None:
    for service in ("api", "worker"):
        assert SERVICES[service]["environment"]["MYSQL_ROOT_PASSWORD"] == ""


def test_only_the_api_and_its_proxy_are_published_or_on_a_network_that_leads_out() -> None:
    inside = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}

    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api", "proxy"]
    assert [name for name, service in SERVICES.items() if not set(service["networks"]) <= inside] == ["api", "proxy"]
    assert all(set(service["networks"]) & inside for service in SERVICES.values())


def test_the_proxy_gets_the_configuration_of_nginx_with_its_host_and_the_address_of_the_api(tmp_path: Path) -> None:
    program = SERVICES["proxy"]["command"][-1].replace("$$", "$")
    made = tmp_path / "default.conf"
    for old, new in {
        "/docserver.conf": str(TOP / "deploy" / "nginx" / "docserver.conf"),
        "/etc/nginx/conf.d/default.conf": str(made),
        'exec nginx -g "daemon off;"': "",
    }.items():
        assert old in program
        program = program.replace(old, new)

    subprocess.run(["sh", "-euc", program], env={**os.environ, "TLS_HOST": "ocr.example.net"}, check=True)

    assert "    server api:8000;" in made.read_text()
    assert made.read_text().count("server_name ocr.example.net;") == 2
    assert "docs.example.org" not in made.read_text()


def test_each_line_that_the_way_to_production_adds_to_the_settings_means_something() -> None:
    page = (TOP / "docs" / "production.md").read_text()
    block = re.search(r"^cat >>\.env <<\.\n(.*?)^\.$", page, re.MULTILINE | re.DOTALL)
    assert block
    added = dict(line.split("=", 1) for line in block[1].splitlines())

    settings = load(added, dotenv=None)

    assert "${TLS_HOST:-" in TEXT
    assert added["COMPOSE_PROFILES"] in SERVICES["proxy"]["profiles"]
    assert settings.trusted_proxies
    assert added["TLS_HOST"] in settings.allowed_hosts


def test_the_base_image_is_built_from_its_digest() -> None:
    base = COMPOSE["x-docserver"]["build"]["args"]["BASE"]
    dockerfile = (TOP / "Dockerfile").read_text()

    assert re.fullmatch(r"(\S+)@sha256:[0-9a-f]{64}", base)
    assert f"ARG BASE={base.partition('@')[0]}\n" in dockerfile
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${BASE}"}


async def test_a_password_of_any_characters_can_be_written_into_both_urls() -> None:
    password = string.punctuation + "ä ü€" + "x"
    mysql_url = f"mysql://docserver:{quote(password, safe='')}@mysql:3306/docserver"
    redis_url = f"redis://:{quote(password, safe='')}@redis:6379/0"

    settings = load({"DOCSERVER_MYSQL_URL": mysql_url, "DOCSERVER_REDIS_URL": redis_url}, dotenv=None)
    address = Address.parse(settings.mysql_url)
    async with redis.asyncio.Redis.from_url(settings.redis_url) as client:
        options = client.connection_pool.connection_kwargs

    assert (address.host, address.password) == ("mysql", password)
    assert (options["host"], options["password"]) == ("redis", password)
