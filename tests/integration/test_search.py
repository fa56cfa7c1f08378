"""Full-text search: what is found, in which order and where, and how pages get into the index and out of it."""

import asyncio
import re
import shlex
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from docserver.command_line import make_parser
from docserver.commands import search as commands
from docserver.database.connection import Cursor, Database
from docserver.database.tables import found_pages, jobs, pages, search_index, search_segments
from docserver.database.tables.document_lists import Filter
from docserver.database.tables.found_pages import FoundPage
from docserver.database.tables.search_segments import Row
from docserver.documents import deletion, search_indexing, search_lookup, search_merging
from docserver.documents import search as documents_search
from docserver.documents.search_indexing import Indexer
from docserver.documents.search_lookup import Neighbours
from docserver.documents.search_merging import Outrun
from docserver.documents.search_pace import Pace
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.search import lookup, segments
from docserver.search.chunks import Kind
from docserver.search.lookup import Found
from docserver.search.query import Word
from tests.support.client import Client
from tests.support.rows import change, make_job, value
from tests.support.searches import add_document, index, indexer, read_pages, search, snippets

TENANT = "default"


async def test_words_phrases_beginnings_and_exclusions_are_found_on_pages(
    client: Client, resources: Resources, db: Database
) -> None:
    await add_document(db, "the net total is due", "total net of taxes", "a draft with the net total")
    await index(resources)

    assert await snippets(client, "net total") == [
        "a draft with the net total",
        "total net of taxes",
        "the net total is due",
    ]
    assert await snippets(client, '"net total"') == ["a draft with the net total", "the net total is due"]
    assert await snippets(client, "net total -draft") == ["total net of taxes", "the net total is due"]
    assert await snippets(client, 'net -"net total"') == ["total net of taxes"]
    assert await snippets(client, "tax*") == ["total net of taxes"]
    assert await snippets(client, "total nothing") == []


async def test_what_is_most_like_the_query_comes_first(client: Client, resources: Resources, db: Database) -> None:
    await add_document(db, "resume", "Résumé", "résumé", "résumé résumé résumé", "r6sumé", "presume")
    await index(resources)

    found = await search(client, "résumé")

    assert [item["snippet"].replace("<mark>", "").replace("</mark>", "") for item in found["items"]] == [
        "résumé résumé résumé",
        "résumé",
        "Résumé",
        "resume",
        "presume",
        "r6sumé",
    ]
    assert [item["score"] for item in found["items"]] == [1.0, 0.889, 0.667, 0.667, 0.222, 0.222]
    assert await snippets(client, "résumé", fuzzy="false") == ["résumé résumé résumé", "résumé", "Résumé", "resume"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("modern", "modem"),
        ("Illinois", "l11inois"),
        ("2015", "2OI5"),
        ("Haus", "Hau5"),
        ("ist", "i\u017ft"),
        ("ist", "ift"),
        ("invoice", "inv0ice"),
        ("invoice", "invoce"),
        ("invoice", "invoicee"),
        ("invoice", "imvoice"),
        ("Rechnung", "Rechnang"),
        ("книга", "кнйга"),
        ("Ελλάδα", "Ελλάζα"),
        ("προσφορά", "προσφαρώ"),
        ("доставка", "ндставка"),
    ],
)
async def test_misread_words_are_found_unless_the_search_is_exact(
    client: Client, resources: Resources, db: Database, query: str, text: str
) -> None:
    await add_document(db, text, "something else")
    await index(resources)

    assert await snippets(client, query) == [text]


@pytest.mark.parametrize(
    ("query", "texts", "others"),
    [
        (
            "invoice",
            ["invoice", "involce", "invocie", "lnvoice imvoice", "imvoice", "invoicee", "voice", "nvoice"],
            {"invocie", "voice"},
        ),
        (
            "delivery",
            ["delivery", "delixexy", "xelixery", "xxlivery", "delivexi", "belivery", "deliverxx", "d livery xelivexx"],
            {"xelixery", "deliverxx", "d livery xelivexx"},
        ),
    ],
)
async def test_misread_words_are_found_in_segments_of_all_sizes(
    client: Client,
    resources: Resources,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    texts: list[str],
    others: set[str],
) -> None:
    monkeypatch.setattr(segments, "KEYS_FROM", 2)
    monkeypatch.setattr(search_merging, "TOGETHER", 2)
    for text in texts:
        await add_document(db, text)
        by = await index(resources)
        while await search_merging.merge(by.writing(), search_merging.SMALL):
            pass
        found = await snippets(client, query)
        assert sorted(found) == sorted(set(texts[: texts.index(text) + 1]) - others)
    async with db.session() as cur:
        assert [segment.has_keys for segment in await search_segments.live(cur, TENANT, generation=1)] == [True]


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each time that misread words are looked up."""
    calls: list[Any] = []
    look_up = Neighbours.look_up

    async def counted(neighbours: Neighbours, *, frequent: bool) -> bool:
        calls.append(frequent)
        return await look_up(neighbours, frequent=frequent)

    monkeypatch.setattr(Neighbours, "look_up", counted)
    return calls


async def test_words_with_a_wrong_letter_are_looked_up_once_other_pages_do_not_suffice(
    client: Client, resources: Resources, db: Database, looked_up: list[Any]
) -> None:
    texts = ["net invoice", "net invoioe", "nett lnvoice", "NET INVOICE", "net invoice other", "net imvoice"]
    await add_document(db, *texts)
    await index(resources)

    first = await search(client, "net invoice", limit=2)

    assert (len(first["items"]), looked_up) == (2, [])
    seen = [item["snippet"] for item in first["items"]]
    cursor = first["next_cursor"]
    while cursor:
        part = await search(client, "net invoice", limit=1, cursor=cursor)
        seen += [item["snippet"] for item in part["items"]]
        cursor = part["next_cursor"]
    assert looked_up
    assert seen == [
        f"<mark>{text.replace(' ', '</mark> <mark>', 1)}</mark>".replace(" other</mark>", "</mark> other")
        for text in ("net invoice other", "net invoice", "NET INVOICE", "net imvoice", "net invoioe")
    ]


async def test_misread_phrases_are_looked_for_where_none_is_as_written_or_a_client_reads_on(
    client: Client, resources: Resources, db: Database, looked_up: list[Any]
) -> None:
    await add_document(db, "the net invoice", "the net imvoice", "an invoice net", "an old receipt", "an old reciept")
    await index(resources)

    first = await search(client, '"net invoice"')
    assert ([item["snippet"] for item in first["items"]], looked_up) == (
        ["the <mark>net</mark> <mark>invoice</mark>"],
        [],
    )

    second = await search(client, '"net invoice"', cursor=first["next_cursor"])
    assert [item["snippet"] for item in second["items"]] == ["the <mark>net</mark> <mark>imvoice</mark>"]
    assert second["next_cursor"] is None

    none_as_written = await search(client, '"old recieptt"')
    assert [item["snippet"] for item in none_as_written["items"]] == ["an <mark>old</mark> <mark>reciept</mark>"]


@pytest.mark.parametrize(("listed_bytes", "rows"), [(segments.LISTED_BYTES, 1), (0, 4)])
async def test_words_misread_on_few_pages_are_found_without_a_look_at_the_rows_of_words(
    client: Client, resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch, listed_bytes: int, rows: int
) -> None:
    looked_up: list[tuple[int, bytes]] = []
    rows_at = search_segments.rows_at

    async def counted(cur: Cursor, kind: int, places: Sequence[tuple[int, bytes]]) -> list[Row]:
        looked_up.extend(places if kind == Kind.WORDS else ())
        return await rows_at(cur, kind, places)

    monkeypatch.setattr(search_segments, "rows_at", counted)
    monkeypatch.setattr(segments, "KEYS_FROM", 2)
    monkeypatch.setattr(segments, "LISTED_BYTES", listed_bytes)
    monkeypatch.setattr(search_merging, "TOGETHER", 2)
    for text in ("invoice imvoice", "invoioe imvoice invoicee"):
        await add_document(db, text)
        by = await index(resources)
    assert await search_merging.merge(by.writing(), search_merging.SMALL)

    assert len(await snippets(client, "invoice")) == 2
    assert len(looked_up) == rows


@pytest.fixture
async def mice_and_houses(resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment in which `mouse` and `house` are frequent, and `nouse` is not."""
    monkeypatch.setattr(segments, "KEYS_FROM", 2)
    monkeypatch.setattr(segments, "LISTED_BYTES", 4)
    monkeypatch.setattr(search_merging, "TOGETHER", 2)
    monkeypatch.setattr(search_lookup, "PRESUMED", 1)
    for texts in (["mouse big", "mouse red", "big nouse"], ["big house", "red house"]):
        await add_document(db, *texts)
        by = await index(resources)
    assert await search_merging.merge(by.writing(), search_merging.SMALL)


@pytest.mark.usefixtures("mice_and_houses")
async def test_frequent_words_with_a_wrong_letter_come_last(client: Client) -> None:
    assert await snippets(client, "mouse") == ["mouse red", "mouse big", "big nouse", "red house", "big house"]
    assert await snippets(client, "nouse") == ["big nouse", "red house", "big house", "mouse red", "mouse big"]

    found = await all_parts(client, "big mouse", limit=1)
    assert [*chain.from_iterable(found)] == ["mouse big", "big nouse", "big house"]
    found = await all_parts(client, "mouse", limit=1)
    assert [*chain.from_iterable(found)] == ["mouse red", "mouse big", "big nouse", "red house", "big house"]


async def all_parts(client: Client, q: str, **parameters: Any) -> list[list[str]]:
    """The texts of the pages of each part of a search, up to the last part."""
    parts = [await search(client, q, **parameters)]
    while cursor := parts[-1]["next_cursor"]:
        parts.append(await search(client, q, cursor=cursor, **parameters))
    return [[re.sub("</?mark>", "", item["snippet"]) for item in part["items"]] for part in parts]


@pytest.mark.usefixtures("mice_and_houses")
@pytest.mark.parametrize(("read_at_once", "first"), [(1, []), (50, ["red house"])])
async def test_after_many_texts_without_a_phrase_frequent_words_are_for_a_client_that_reads_on(
    client: Client, monkeypatch: pytest.MonkeyPatch, read_at_once: int, first: list[str]
) -> None:
    monkeypatch.setattr(documents_search, "READ_AT_ONCE", read_at_once)

    parts = await all_parts(client, '"red mouse"')

    assert (parts[0], [*chain.from_iterable(parts)]) == (first, ["red house"])


async def test_the_documents_of_pages_without_the_phrase_are_not_read(
    client: Client, resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    passing = found_pages.passing

    async def counted(cur: Cursor, narrowed: Filter, numbers: Sequence[int]) -> dict[int, FoundPage]:
        read.extend(numbers)
        return await passing(cur, narrowed, numbers)

    monkeypatch.setattr(found_pages, "passing", counted)
    await add_document(db, "net total", "total net", "net sub-total", "net, total", "net of total")
    await index(resources)

    assert await snippets(client, '"net total"') == ["net, total", "net total"]
    assert len(read) == 2


@pytest.mark.parametrize("presumed", [100, 0])
async def test_if_few_pages_have_the_rarest_word_their_texts_are_read_for_the_others(
    client: Client, resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch, presumed: int
) -> None:
    looked_up = []
    add_neighbours = lookup.add_neighbours

    def counted(found: Found, word: Word, *arguments: Any, **named: Any) -> dict[str, set[int]]:
        looked_up.append(word)
        return add_neighbours(found, word, *arguments, **named)

    monkeypatch.setattr(lookup, "add_neighbours", counted)
    monkeypatch.setattr(search_lookup, "PRESUMED", presumed)
    texts = [
        "rare invoioe",
        "rare",
        "invoice",
        "Mayday invoice",
        "maydey invoice",
        "mayday",
        "maydey imvoice",
        "maydey",
    ]
    await add_document(db, *texts)
    await index(resources)

    assert await snippets(client, "mayday invoice") == ["Mayday invoice", "maydey invoice", "maydey imvoice"]
    assert len(looked_up) == (1 if presumed else 2)


@pytest.mark.parametrize(
    ("query", "text"),
    [("fail", "fall"), ("10045", "10046"), ("sea", "see"), ("invoice", "involve"), ("card", "cards")],
)
async def test_other_words_are_not_taken_for_misread_ones(
    client: Client, resources: Resources, db: Database, query: str, text: str
) -> None:
    await add_document(db, text)
    await index(resources)

    assert await snippets(client, query) == []


async def test_a_word_hyphenated_over_two_lines_is_one_word_with_two_boxes(
    client: Client, resources: Resources, db: Database
) -> None:
    await add_document(db, "Die Rech-\nnung vom Mai")
    await index(resources)

    (item,) = (await search(client, "rechnung", fuzzy="false"))["items"]

    assert item["snippet"] == "Die <mark>Rech-</mark> <mark>nung</mark> vom Mai"
    assert item["hits"] == [
        {"text": "Rech-", "box": [40, 0, 90, 30], "line_box": [0, 0, 90, 30]},
        {"text": "nung", "box": [0, 30, 40, 60], "line_box": [0, 30, 120, 60]},
    ]
    assert await snippets(client, '"rechnung vom"') == ["Die Rech- nung vom Mai"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("東京都", "昨日 東京 都に 行った"),
        ("京", "東京 に"),
        ("行った", "昨日 行\nった"),
        ("ภาษาไทย", "เรียน ภาษาไทยที่ บ้าน"),
    ],
)
async def test_scripts_without_spaces_are_searched_by_any_part(
    client: Client, resources: Resources, db: Database, query: str, text: str
) -> None:
    await add_document(db, text, "都京東")
    await index(resources)

    assert await snippets(client, query) in ([" ".join(text.split())], ["都京東", " ".join(text.split())])
    assert await snippets(client, f'"{query}言"') == []


async def test_a_snippet_shows_text_as_html_around_the_most_words_of_the_query(
    client: Client, resources: Resources, db: Database
) -> None:
    await add_document(db, f"net {'other ' * 100}<b> net & total {'more ' * 100}")
    await index(resources)

    (snippet,) = [item["snippet"] for item in (await search(client, "net total"))["items"]]

    assert "&lt;b&gt; <mark>net</mark> &amp; <mark>total</mark> more" in snippet
    assert snippet.startswith("… ")
    assert snippet.endswith(" …")
    assert len(snippet) < 300


async def test_a_search_goes_on_by_cursor_over_merged_segments_and_shows_each_page_once(
    client: Client, resources: Resources, db: Database
) -> None:
    for number in range(12):
        await add_document(db, f"page{number} word word word", f"other{number} word")
        by = await index(resources)
        while await search_merging.merge(by.writing(), search_merging.SMALL):
            pass
    async with db.session() as cur:
        assert len(await search_segments.live(cur, TENANT, generation=1)) < 12

    seen: list[str] = []
    cursor = None
    while cursor or not seen:
        part = await search(client, "word", limit=5, **({"cursor": cursor} if cursor else {}))
        seen += [item["snippet"] for item in part["items"]]
        cursor = part["next_cursor"]

    assert len(seen) == len(set(seen)) == 24
    assert [item.startswith("page") for item in seen] == [True] * 12 + [False] * 12
    assert await snippets(client, "page7") == ["page7 word word word"]


async def test_a_search_is_narrowed_by_the_filters_of_the_list(
    client: Client, resources: Resources, db: Database
) -> None:
    await add_document(db, "one word", filename="invoice.pdf", content_type="application/pdf")
    await add_document(db, "another word", filename="scan.png")
    await index(resources)

    assert await snippets(client, "word", filename="INVOICE") == ["one word"]
    assert await snippets(client, "word", content_type="image/png") == ["another word"]
    assert await snippets(client, "word", status="failed") == []
    assert len(await snippets(client, "word", status="completed", date_from="2020-01-01")) == 2
    assert await snippets(client, "word", date_to="2020-01-01") == []


async def test_a_tenant_finds_its_own_pages_alone(client: Client, resources: Resources, db: Database) -> None:
    await add_document(db, "ours word")
    await add_document(db, "theirs word", tenant="other")
    await index(resources)

    assert await snippets(client, "word") == ["ours word"]


async def test_a_deleted_document_is_not_found_any_more_and_leaves_the_index(
    client: Client, resources: Resources, db: Database
) -> None:
    document_id, _ = await add_document(db, "secret word")
    await add_document(db, "another word")
    by = await index(resources)

    await deletion.delete(resources, document_id, tenant=TENANT, actor="a test")

    assert await snippets(client, "word") == ["another word"]
    after = 0
    while after := await search_merging.thin_out(by.writing(), after=after):
        pass
    assert await value(db, "SELECT COUNT(*) FROM search_pages") == 1
    assert await snippets(client, "word") == ["another word"]
    async with db.session() as cur:
        assert [segment.pages for segment in await search_segments.live(cur, TENANT, generation=1)] == [1]


async def test_a_page_that_is_read_again_is_found_by_its_new_text_alone(
    client: Client, resources: Resources, db: Database
) -> None:
    _, job_id = await add_document(db, "early word", "second word")
    await index(resources)

    async with db.transaction() as cur:
        await jobs.retry(cur, job_id=job_id, options=Options("eng"), request_id="r", done=1, failed=0)
        await pages.reset(cur, job_id=job_id, numbers=[1])
    assert await snippets(client, "word") == ["second word"]
    await change(db, "UPDATE jobs SET status = 'processing' WHERE id = %s", job_id.bytes)
    await read_pages(db, job_id, {1: "late word"})
    await index(resources)

    assert await snippets(client, "word") == ["late word", "second word"]
    assert await snippets(client, "early") == []


async def test_pages_can_be_found_soon_after_they_were_read(
    client: Client, resources: Resources, db: Database, running_indexer: Indexer
) -> None:
    assert running_indexer
    await add_document(db, "quick word")

    async with asyncio.timeout(10):
        while await snippets(client, "quick") == []:
            await asyncio.sleep(0.02)
    assert await value(db, "SELECT COUNT(*) FROM jobs WHERE search_due") == 0


async def test_work_on_the_index_rests_while_pages_wait_to_be_read(db: Database) -> None:
    pace = Pace(db, share=0.1)

    async def rest_s() -> float:
        await pace.run(sum, range(300_000))
        began = time.monotonic()
        await pace.rest()
        return time.monotonic() - began

    unthrottled_s = min([await rest_s() for _ in range(5)])
    await make_job(db, total=None)
    throttled_s = min([await rest_s() for _ in range(5)])

    assert unthrottled_s < throttled_s / 2


async def test_pages_that_are_read_while_a_few_are_added_are_added_together(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = await index(resources)
    while await by.walk():
        pass
    await add_document(db, "one")
    goes_on_after_a_few = await by.lead()
    monkeypatch.setattr(search_indexing, "PAGES_AT_ONCE", 1)
    await add_document(db, "two")

    assert not goes_on_after_a_few
    assert await by.lead()


@pytest.fixture
async def running_indexer(resources: Resources) -> AsyncIterator[Indexer]:
    """An indexer at work."""
    made = Indexer(resources)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_of_two_indexers_the_one_that_was_replaced_changes_nothing(
    client: Client, resources: Resources, db: Database
) -> None:
    early = await indexer(resources)
    await add_document(db, "a word")
    late = await indexer(resources)

    with pytest.raises(Outrun):
        await early.index_some()
    assert await snippets(client, "word") == []
    assert await late.index_some()
    assert await snippets(client, "word") == ["a word"]


async def test_pages_that_an_earlier_release_has_read_are_found_after_all_jobs_were_compared(
    client: Client, resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexing, "WALKED_AT_ONCE", 1)
    await add_document(db, "one word")
    await add_document(db, "another word")
    await change(db, "UPDATE jobs SET search_due = NULL")
    by = await index(resources)
    assert await snippets(client, "word") == []

    while await by.index_some() or await by.walk():
        pass

    assert await snippets(client, "word") == ["another word", "one word"]


async def test_while_the_index_is_built_a_search_says_how_far_it_is(
    client: Client, resources: Resources, db: Database
) -> None:
    await add_document(db, "one word")
    await add_document(db, "another word")
    by = await index(resources)
    async with db.transaction() as cur:
        await search_index.begin(cur)

    async with client.get("/v1/documents/search", params={"q": "word"}) as response:
        assert response.status == 503
        problem = await response.json()
        assert response.headers["Retry-After"] == "5"
    assert (problem["code"], problem["progress"]) == ("search_index_incomplete", 0.0)

    while await by.index_some() or await by.walk():
        pass
    assert await snippets(client, "word") == ["another word", "one word"]
    await search_merging.clean(by.writing())
    assert await value(db, "SELECT COUNT(*) FROM search_segments WHERE generation = 1") == 0
    assert await value(db, "SELECT COUNT(*) FROM search_pages") == 2


async def test_the_command_builds_the_index_anew(
    client: Client,
    resources: Resources,
    db: Database,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "REPORT_S", -1.0)
    monkeypatch.setattr(search_indexing, "POLL_S", 0.02)
    assert make_parser().parse_args(["search", "rebuild"]).action == "rebuild"
    await add_document(db, "one word")
    await index(resources)
    await change(db, "DELETE FROM search_chunks")
    assert await snippets(client, "word") == []

    await commands.rebuild(resources)

    assert await snippets(client, "word") == ["one word"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "The index is empty; searches are answered with 503 until it is built."
    assert lines[-1] == "The index is complete."
    assert set(lines[1:-1]) <= {"0 of 1 jobs", "1 of 1 jobs"}


async def test_a_rebuild_that_begins_while_jobs_are_compared_is_not_taken_for_complete(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_document(db, "one word")
    by = await index(resources)
    while await by.walk():
        pass
    compared = search_index.forget_jobs

    async def begun_anew(cur: Cursor, *, after: bytes, to: bytes | None) -> None:
        await compared(cur, after=after, to=to)
        async with db.transaction() as other:
            await search_index.begin(other)

    monkeypatch.setattr(search_index, "forget_jobs", begun_anew)
    monkeypatch.setattr(by, "_walk_from", 0.0)
    await change(db, "DELETE FROM jobs")
    await by.walk()

    async with db.session() as cur:
        assert not (await search_index.progress(cur)).is_complete


async def test_the_query_of_the_page_about_searches_works(client: Client, resources: Resources, db: Database) -> None:
    await add_document(db, "invoice with the net total", "a draft invoice with the net total")
    await index(resources)
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
    (command,) = re.findall(r"^curl .*$", page, re.MULTILINE)
    _, _, address, _, query = shlex.split(command)

    assert address == "localhost:8000/v1/documents/search"
    assert await snippets(client, query.removeprefix("q=")) == ["invoice with the net total"]


@pytest.mark.parametrize(
    ("q", "detail"),
    [
        ("", "Length must be between 1 and 500."),
        ("…", "A search needs a word to look for, of letters or digits."),
        ("-draft", "A search needs a word to look for, beside those it excludes."),
        ("in*", "At least 3 letters before a star."),
        ("word " * 21, "At most 20 words; each two letters of Chinese, Japanese or Thai count as one."),
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused(client: Client, q: str, detail: str) -> None:
    async with client.get("/v1/documents/search", params={"q": q}) as response:
        assert response.status == 422
        assert (await response.json())["errors"] == [{"detail": detail, "parameter": "q"}]
