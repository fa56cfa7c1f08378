"""Clients that take all they can get, against the real program: what they get, and what is left for health checks."""

from contextlib import AsyncExitStack

from tests.support.raw_http import Wire, wire
from tests.support.samples import png
from tests.support.service import Start
from tests.support.waiting import until

LIMIT, OF_ONE = 40, 10


def has_ended(poll: Wire) -> bool:
    """True if a poll is answered, or its connection closed: a request that has not been read yet may be replaced."""
    reader = poll.reader
    return reader.exception() is not None or reader._eof or bool(reader._buffer)  # type: ignore[attr-defined]


async def test_greedy_clients_get_their_part_and_health_is_answered_beyond_it(start: Start) -> None:
    service = await start(slots="0", max_connections=str(LIMIT), grace_s="0.5")
    path = (await service.upload(png()))["links"]["self"] + "?wait=60"
    line = service.find("listening")
    assert line is not None
    async with AsyncExitStack() as stack:

        async def refusal(client: str, *, beside: int) -> int:
            """Open polls until one beside so many others is answered; returns the status."""
            polls: list[Wire] = []
            while not any(poll.reader._buffer for poll in polls):  # type: ignore[attr-defined]
                polls.append(await stack.enter_async_context(wire(line["port"], client)))
                await polls[-1].send_head(method="GET", path=path)
                await until(lambda: len(polls) - sum(map(has_ended, polls)) <= beside)
            (answered,) = (poll for poll in polls if poll.reader._buffer)  # type: ignore[attr-defined]
            return (await answered.answer()).status

        for client in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"):
            assert await refusal(client, beside=OF_ONE) == 429
        assert await refusal("127.0.0.6", beside=0) == 503
        for number in range(300):
            silent = await stack.enter_async_context(wire(line["port"], f"127.0.0.{2 + number % 5}"))
            await silent.send(b"GET /livez HTTP/1.1\r\n"[: number % 22])

        for client in ("127.0.0.2", "127.0.0.6", "127.0.0.7"):
            for health in ("/livez", "/readyz"):
                async with wire(line["port"], client) as sender:
                    await sender.send_head(method="GET", path=health)
                    assert (await sender.answer()).status == 200

    assert service.find("connections refused")
