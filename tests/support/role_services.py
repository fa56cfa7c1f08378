"""A server that gives the keys of a role in the place of Amazon's services: STS, a container's and a machine's."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROLES = "/latest/meta-data/iam/security-credentials/"

STS_ANSWER = """
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials>
    <SessionToken>token&amp;</SessionToken><SecretAccessKey>secret</SecretAccessKey>
    <Expiration>{expires}</Expiration><AccessKeyId>id</AccessKeyId>
  </Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>
"""


class RoleServices(ThreadingHTTPServer):
    """Answers requests of their paths, and remembers what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, str]] = []
        """Method, path, and what proves who asks: a header or the body."""
        self.valid_s = 3600.0
        self.keys = {"AccessKeyId": "id", "SecretAccessKey": "secret", "Token": "token&"}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str) -> str:
        expires = (datetime.now(UTC) + timedelta(seconds=self.valid_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = json.dumps({**self.keys, "Expiration": expires})
        answers = {
            "/": STS_ANSWER.format(expires=expires),
            "/keys": keys,
            "/latest/api/token": "machine",
            ROLES: "role\n",
            f"{ROLES}role": keys,
        }
        return answers.get(path, "")


class _Handler(BaseHTTPRequestHandler):
    server: RoleServices

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        proof = self.headers.get("Authorization") or self.headers.get("X-aws-ec2-metadata-token") or body
        self.server.asked.append((self.command, self.path, proof))
        answer = self.server.answer(self.path).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815 - names of the library

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def answering() -> Iterator[RoleServices]:
    with RoleServices() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
