"""Carries out requests that have an Idempotency-Key once. The form of the header is in `idempotency_key`."""

from dataclasses import replace
from hashlib import sha256
from uuid import UUID

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from docserver.documents import idempotency
from docserver.documents.idempotency import Answer, KeyedRequest, Repeated
from docserver.documents.intake import Upload
from docserver.errors import ServiceError
from docserver.model import new_id
from docserver.storage import Received
from docserver.web import idempotency_key
from docserver.web.idempotency_key import HEADER
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.middleware import UPLOADS, is_public

REPLAYED = "Idempotency-Replayed"

METHODS = (hdrs.METH_POST, hdrs.METH_PUT)

REQUEST: web.RequestKey[KeyedRequest] = web.RequestKey("idempotency", KeyedRequest)


@web.middleware
async def answer_once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Carry out one of the requests with a key, and give its answer to the others."""
    if request.method not in METHODS or HEADER not in request.headers or is_public(request):
        return await handler(request)
    async with idempotency.begun(
        request.app[RESOURCES], request[CALLER], idempotency_key.parse(request.headers.getall(HEADER))
    ) as keyed:
        request[REQUEST] = keyed
        try:
            if request.match_info.route.name not in UPLOADS:
                await keyed.bind(_hash(request, await request.read()))
            response = await handler(request)
        except Repeated as repeated:
            answer = repeated.answer
            return web.Response(
                body=answer.body.encode(), status=answer.status, headers={**answer.headers, REPLAYED: "true"}
            )
        except BaseException as error:
            await keyed.give_up(changed_nothing=isinstance(error, ServiceError) and error.status < 500)
            raise
        await _keep(keyed, response)
    return response


async def bind_upload(request: web.Request, received: Received, upload: Upload) -> Upload:
    """Tell what an upload asks for, now that it was received; returns it with the id of its job.

    Raises what `KeyedRequest.bind` raises.
    """
    keyed = request.get(REQUEST)
    if keyed is None or keyed.is_bound:
        return upload
    await keyed.bind(_hash(request, received.sha256, _asked(upload)))
    return replace(upload, job_id=upload.job_id or keyed.job_id)


async def bind(request: web.Request, payload: bytes) -> None:
    """Tell what a request asks for whose body the handler has read; raises what `KeyedRequest.bind` raises."""
    if keyed := request.get(REQUEST):
        await keyed.bind(_hash(request, payload))


async def bind_batch(request: web.Request, content: bytes, upload: Upload) -> UUID:
    """Tell what a batch asks for, now that it was received; returns its id, which is the same if it is sent again.
    `content` is a hash of its files. Raises what `KeyedRequest.bind` raises.
    """
    keyed: KeyedRequest | None = request.get(REQUEST)
    if keyed is None:
        return new_id()
    await keyed.bind(_hash(request, content, _asked(upload)))
    return keyed.job_id


def _asked(upload: Upload) -> bytes:
    callback = upload.callback.url if upload.callback else None
    options = sorted(upload.options.as_json().items())
    return repr((upload.filename, options, upload.expires_in_s, callback, upload.password)).encode()


def job_id(request: web.Request) -> UUID:
    """An id for the job that a request makes: the same each time that it is carried out, if it has a key."""
    keyed = request.get(REQUEST)
    return keyed.job_id if keyed else new_id()


async def _keep(keyed: KeyedRequest, response: web.StreamResponse) -> None:
    if not isinstance(response, web.Response) or response.status >= 400:
        await keyed.give_up(changed_nothing=True)
        return
    assert response.body is None or isinstance(response.body, bytes)
    headers = {str(name): value for name, value in response.headers.items()}
    await keyed.finish(Answer(response.status, headers, (response.body or b"").decode()))


def _hash(request: web.Request, *payload: bytes) -> bytes:
    """A hash of what a request asks for: method, path, query, and its own parts."""
    target = repr((request.method, request.path, sorted(request.query.items())))
    return sha256(b"".join(sha256(part).digest() for part in (target.encode(errors="replace"), *payload))).digest()
