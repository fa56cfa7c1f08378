"""The links of the OpenAPI document, followed from answer to answer: each leads to what the answer is about."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.support import openapi
from tests.support.servers import Servers
from tests.support.service import Service, Start, form
from tests.support.tenants import key_for_everything
from tests.support.waiting import in_time

FIRST = (
    *("create_webhook", "upload_document", "post_document", "create_batch", "inspect_document"),
    *("list_documents", "search_documents", "list_webhooks"),
    *("create_key", "list_keys", "set_tenant", "list_tenants", "get_audit_log"),
)
"""What a client may begin with, in this order: the webhook hears of the jobs, and lists have something to show."""

LAST = ("delete_document", "delete_webhook", "revoke_key", "delete_tenant")
"""Nothing is left to lead to after them."""

NEEDS_BUCKET = ("begin_upload", "complete_upload")
"""Tests of uploads by link have one."""

BODY, REQUEST = "$response.body#/", ("$request.path.", "$request.query.")
"""What the expressions of the links begin with."""

GIVEN: Mapping[str, str] = {"tenant": "acme", "limit": "1", "filename": "invoice.pdf", "q": "invoice"}
"""Parameters of the first requests. A list of one has a next part."""


Link = tuple[str, frozenset[tuple[str, str]]]
"""The operation that a link leads to, and where it takes the parameters from."""


class Walk:
    """Follows each link once, whichever answer has it, and remembers which."""

    def __init__(self, service: Service, document: Any, key: str) -> None:
        self.followed: set[Link] = set()
        self._service = service
        self._document = document
        self._operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }
        self._headers = {"Authorization": f"Bearer {key}"}
        self._endings: list[tuple[str, dict[str, Any]]] = []

    async def begin_with(self, name: str) -> None:
        """Send the first request, and follow all links from its answer."""
        known = {parameter["name"] for parameter in self._operations[name][2]["parameters"]}
        if name in {"list_documents", "search_documents"}:
            # The next part of what is narrowed would need it again.
            known.discard("filename")
        await self._follow(name, {key: value for key, value in GIVEN.items() if key in known})

    async def until_found(self) -> None:
        """Wait until the index has more pages than one part of a search shows."""
        async with in_time():
            while (await self._ask("search_documents", {"q": GIVEN["q"], "limit": "1"}))[1]["next_cursor"] is None:
                await asyncio.sleep(0.05)

    async def end(self) -> None:
        """Send what links led to and after which nothing is left."""
        for name, given in self._endings:
            status, answer = await self._ask(name, given)
            # The first tenant of the list is one that cannot be deleted.
            assert status in (202, 204) or given == {"tenant": "default"}, (name, given, answer)

    async def _follow(self, name: str, given: dict[str, Any]) -> None:
        """Send a request that a link leads to, and follow the links of its answer."""
        status, answer = await self._ask(name, given)
        # A conflict is one with what is there.
        assert status in (200, 201, 202, 204, 409), (name, given, answer)
        if status == 202 and "job_id" in answer:
            answer = await self._completed(answer["job_id"])
        documented = openapi.resolved(self._document, self._operations[name][2]["responses"][str(status)])
        for target, link in documented.get("links", {}).items():
            values = {key: _value(where, answer, given) for key, where in link["parameters"].items()}
            if None in values.values() or _named(target, link) in self.followed:
                continue
            self.followed.add(_named(target, link))
            if target not in LAST:
                await self._follow(target, values)
            elif (target, values) not in self._endings:
                self._endings.append((target, values))

    async def _completed(self, job_id: str) -> Any:
        """The job when it is completed: then all its links lead on."""
        async with in_time():
            while True:
                _, job = await self._ask("get_job", {"job_id": job_id, "wait": "10"})
                if job["status"] == "completed":
                    return job
                assert job["status"] in ("pending", "processing"), job

    async def _ask(self, name: str, given: Mapping[str, Any]) -> tuple[int, Any]:
        method, path, operation = self._operations[name]
        query = {key: value for key, value in given.items() if f"{{{key}}}" not in path}
        async with self._service.http.request(
            method, path.format(**given), params=query, headers=self._headers, **_body(operation)
        ) as response:
            is_json = response.content_type.endswith("json")
            return response.status, await (response.json() if is_json else response.read())


def _named(target: str, link: Any) -> Link:
    """Answers of one schema have the same links."""
    return target, frozenset(link["parameters"].items())


def _body(operation: Any) -> dict[str, Any]:
    """The body that the document has as an example."""
    ((media_type, content), *_) = operation.get("requestBody", {"content": {"": {}}})["content"].items()
    if media_type == "application/json":
        return {"json": content["example"]}
    if media_type == "application/octet-stream":
        return {"data": content["example"].encode()}
    return {"data": _form(content["example"]["file"])} if media_type else {}


def _form(files: str | list[str]) -> aiohttp.FormData:
    first, *others = [files] if isinstance(files, str) else files
    sent = form(first.encode(), "invoice.pdf")
    for other in others:
        sent.add_field("file", other.encode(), filename="invoice.pdf")
    return sent


def _value(where: str, answer: Any, given: Mapping[str, Any]) -> Any:
    """What an expression of a link stands for; None if the answer does not have it."""
    if where.startswith(REQUEST):
        return given[where.rpartition(".")[2]]
    for part in where.removeprefix(BODY).split("/"):
        if isinstance(answer, list):
            answer = answer[int(part)] if int(part) < len(answer) else None
        else:
            answer = answer and answer.get(part)
    return answer


async def test_each_link_of_an_answer_leads_to_what_the_answer_is_about(start: Start, empty_servers: Servers) -> None:
    service = await start(slots="1", auth="keys", webhook_connections="0")
    document = await (await service.http.get("/openapi.json")).json()
    walk = Walk(service, document, await key_for_everything(empty_servers.mysql_url, tenant="links"))

    for name in FIRST:
        if name == "search_documents":
            await walk.until_found()
        await walk.begin_with(name)
    await walk.end()

    described = {
        _named(target, link)
        for name, operation in openapi.operations(document)
        for answer in operation["responses"].values()
        for target, link in openapi.resolved(document, answer).get("links", {}).items()
        if not {name, target} & {*NEEDS_BUCKET}
    }
    assert described - walk.followed == set()
