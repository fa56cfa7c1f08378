"""A real nginx with the configuration of deploy/nginx, on free ports and with a certificate of its own."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificate import make_certificate
from tests.support.waiting import in_time, until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx" / "docserver.conf"

MAIN = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    include {directory}/docserver.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Where it listens, and how a client comes to trust it."""

    port: int
    plain_port: int
    trust: ssl.SSLContext


@asynccontextmanager
async def nginx(directory: Path, *, upstream_port: int) -> AsyncIterator[Nginx]:
    """Run it in front of this port until the block ends."""
    port, plain_port = free_ports(2)
    certificate = directory / "fullchain.pem"
    make_certificate(certificate, directory / "privkey.pem")
    changes = {
        "127.0.0.1:8000": f"127.0.0.1:{upstream_port}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "    listen [::]:443 ssl http2;\n": "",
        "    listen [::]:80;\n": "",
        "/etc/ssl/docserver": str(directory),
    }
    (directory / "docserver.conf").write_text(changed(CONFIGURATION.read_text(), changes))
    (directory / "nginx.conf").write_text(MAIN.format(directory=directory))
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert program, "nginx is not installed"
    process = await asyncio.create_subprocess_exec(program, "-c", directory / "nginx.conf", "-p", directory)
    try:
        await until(lambda: process.returncode is not None or answers(port))
        assert process.returncode is None, (directory / "error.log").read_text()
        yield Nginx(port, plain_port, ssl.create_default_context(cafile=str(certificate)))
    finally:
        if process.returncode is None:
            process.terminate()
        async with in_time():
            await process.wait()


def changed(text: str, changes: dict[str, str]) -> str:
    """The text with each of these changes made; each must be possible."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [bound.getsockname()[1] for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
