"""What requests may say: every parameter's values and bounds, and how a wrong one is told."""

import base64
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from multidict import MultiDict

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables.document_lists import Position
from docserver.documents.search import Place
from docserver.errors import Unprocessable
from docserver.formats import FORMATS
from docserver.model import Status
from docserver.page_ranges import NEEDS_REVIEW
from docserver.reading_options import Mode, Rotate
from docserver.sniff import SUPPORTED
from docserver.web import search_schemas
from docserver.web.cursors import cursor, parse_cursor
from docserver.web.handlers import documents
from docserver.web.request_fields import moment
from docserver.web.request_schemas import (
    EventsQuery,
    ImageQuery,
    ListQuery,
    ResultQuery,
    RetryOptions,
    UploadOptions,
    WaitQuery,
)
from docserver.web.search_schemas import SearchQuery
from docserver.web.validation import IN_BODY, IN_QUERY, Places, Strict, load, load_query
from docserver.web.webhook_schemas import NewWebhook

PLACE = Position(datetime(2026, 11, 23, 20, 1, 2, 123456), UUID(int=7))  # noqa: DTZ001 - as the database gives it


def listed(*pairs: tuple[str, str], **given: str) -> dict[str, Any]:
    return load(ListQuery(), MultiDict([*pairs, *given.items()]))


def refused(schema: Any, *pairs: tuple[str, str], places: Places = IN_QUERY, **given: str) -> Unprocessable:
    """The refusal of these parameters."""
    with pytest.raises(Unprocessable) as raised:
        load(schema, MultiDict([*pairs, *given.items()]), places=places)
    return raised.value


def names(refusal: Unprocessable) -> list[str]:
    return [error["parameter"] for error in refusal.errors]


def test_a_list_without_parameters_is_the_ten_latest() -> None:
    assert listed() == {"limit": 10, "offset": 0, "sort": "created_at_desc"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limit", "1", 1),
        ("limit", "100", 100),
        ("offset", "0", 0),
        ("offset", "100000", 100_000),
        ("filename", "100%_ü", "100%_ü"),
        ("filename", "x" * 255, "x" * 255),
        ("sort", "created_at_asc", "created_at_asc"),
        *(("status", status.value, status.value) for status in Status),
        *(("content_type", kind, kind) for kind in SUPPORTED),
    ],
)
def test_a_parameter_of_the_list_is_taken(name: str, text: str, value: Any) -> None:
    assert listed(**{name: text})[name] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("limit", "1_0"),
        ("limit", "\u0661\u0660"),
        ("limit", ""),
        ("offset", "-1"),
        ("offset", "100001"),
        ("filename", ""),
        ("filename", "x" * 256),
        ("filename", "\0"),
        ("filename", "\u200b\u0301"),
        ("sort", "name"),
        ("status", "done"),
        ("content_type", "text/html"),
        ("date_from", "yesterday"),
        ("date_from", ""),
        ("date_to", "2026-02-30"),
        ("date_to", "2026-11-23T25:00:00Z"),
        ("date_to", "0001-01-01T00:00:00+14:00"),
        ("date_to", "2026-11-23T20:01:02Z" + "0" * 250),
        ("cursor", "nonsense"),
        ("cursor", ""),
        ("colour", "red"),
        ("Limit", "5"),
    ],
)
def test_a_wrong_parameter_of_the_list_is_refused_by_its_name(name: str, text: str) -> None:
    refusal = refused(ListQuery(), (name, text))

    assert names(refusal) == [name]
    assert refusal.errors[0]["detail"].endswith(".")
    assert refusal.detail == f"{name}: {refusal.errors[0]['detail']}"


def test_all_wrong_parameters_are_told_at_once() -> None:
    assert names(refused(ListQuery(), limit="0", status="x", colour="red")) == ["colour", "limit", "status"]


def test_the_reasons_are_one_sentence_that_names_what_there_is() -> None:
    refusal = refused(WaitQuery(), places=IN_BODY, wait="x", weight="1")

    assert refusal.detail == (
        "wait: Must be a number of seconds from 0 to 3600; the service waits for 60 at most, unless set otherwise; "
        "weight: Unknown; known are wait."
    )


@pytest.mark.parametrize(
    ("schema", "name", "wrong", "detail"),
    [
        (EventsQuery(), "text", "maybe", "Must be true or false."),
        (ListQuery(), "limit", "x", "Must be a whole number from 1 to 100."),
        (ImageQuery(), "width", "a", "Must be a whole number from 1 to 3000."),
        (ResultQuery(), "quality", "x", "Must be a whole number from 1 to 100."),
        (ImageQuery(), "crop", "20,20,10,10", "Of x0,y0,x1,y1, x0 must be less than x1, and y0 less than y1."),
        (ImageQuery(), "crop", "-5,0,10,10", "Must be four whole numbers such as 36,92,580,122, none below 0."),
        (RetryOptions(), "languages", 5, "Must be a text such as eng or eng+deu."),
        (UploadOptions(), "expires_in", "x", "Must be a whole number of seconds."),
        (Strict(), "nonsense", "1", "Unknown; none is known."),
    ],
)
def test_the_reason_says_what_is_right(schema: Strict, name: str, wrong: Any, detail: str) -> None:
    assert refused(schema, **{name: wrong}).errors == [{"detail": detail, "parameter": name}]


def test_a_webhook_without_events_is_told_which_there_are() -> None:
    refusal = refused(NewWebhook(), ("url", "https://example.org"), ("events", []))  # type: ignore[arg-type]

    assert "job.completed" in refusal.errors[0]["detail"]


def test_a_parameter_that_is_given_twice_is_refused_by_its_name() -> None:
    refusal = refused(ListQuery(), ("limit", "5"), ("limit", "5"), ("sort", "created_at_asc"))

    assert names(refusal) == ["limit"]


def test_a_field_of_a_form_is_told_by_its_pointer() -> None:
    refusal = refused(UploadOptions(), languages="no/language", places=IN_BODY)

    assert [error["pointer"] for error in refusal.errors] == ["/languages"]
    assert refusal.detail.startswith("languages: ")


def utc(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - UTC without zone, as in the tables


@pytest.mark.parametrize(
    ("text", "time", "bare"),
    [
        ("2026-11-23", utc(2026, 11, 23), True),
        ("2026-11-23T20:01:02Z", utc(2026, 11, 23, 20, 1, 2), False),
        ("2026-11-23T00:00:00Z", utc(2026, 11, 23), False),
        ("2026-11-23T20:01:02", utc(2026, 11, 23, 20, 1, 2), False),
        ("2026-11-23T20:01:02.123456Z", utc(2026, 11, 23, 20, 1, 2, 123456), False),
        ("2026-11-23T20:01:02.5Z", utc(2026, 11, 23, 20, 1, 2, 500000), False),
        ("2026-11-23T01:00:00+02:30", utc(2026, 11, 22, 22, 30), False),
        ("2026-12-31T23:00:00-01:00", utc(2027, 1, 1), False),
        ("2026-11-23t20:01:02z", utc(2026, 11, 23, 20, 1, 2), False),
        ("2026-11-23 20:01:02", utc(2026, 11, 23, 20, 1, 2), False),
        # The plus of a zone is a space in a query, unless the client encodes it.
        ("2026-11-23T01:00:00 02:30", utc(2026, 11, 22, 22, 30), False),
    ],
)
def test_a_time_is_taken_to_utc_and_a_bare_date_is_known_as_one(text: str, time: datetime, *, bare: bool) -> None:
    assert moment(text) == (time, bare)


@pytest.mark.parametrize("text", ["20261123", "2026-W48-1", "2026-11"])
def test_a_date_that_is_written_in_another_way_is_refused_rather_than_read_differently(text: str) -> None:
    with pytest.raises(ValidationError):
        moment(text)


def narrowed(**given: str) -> Any:
    return documents.document_filter(listed(**given), tenant=DEFAULT_TENANT)


def test_a_list_to_a_bare_date_includes_that_day_and_to_a_time_that_moment() -> None:
    assert narrowed(date_to="2026-11-23").created_before == utc(2026, 11, 24)
    assert narrowed(date_to="2026-11-23T20:00:00Z").created_before == utc(2026, 11, 23, 20) + timedelta(microseconds=1)


def test_a_list_from_a_date_begins_with_that_moment() -> None:
    assert narrowed(date_from="2026-11-23").created_from == utc(2026, 11, 23)
    assert narrowed().created_from is None


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31T23:59:59.999999Z"])
def test_the_end_of_time_is_a_time_like_any_other(end: str) -> None:
    assert narrowed(date_to=end).created_before is None or narrowed(date_to=end).created_before > utc(9999, 12, 30)


@given(
    st.sampled_from(["created_at_desc", "created_at_asc"]),
    st.builds(Position, st.datetimes(), st.uuids()),
)
def test_a_cursor_leads_back_to_its_place(sort: str, place: Position) -> None:
    assert listed(cursor=cursor(listed(sort=sort), place), sort=sort)["cursor"].place == place


@given(st.text(max_size=40))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse_cursor(text)


@pytest.mark.parametrize(
    "inside", ["a|b", "created_at_desc|2026-11-23T00:00:00|not-an-id", "created_at_desc|x|" + str(UUID(int=1))]
)
def test_a_made_up_cursor_is_refused(inside: str) -> None:
    with pytest.raises(ValidationError):
        parse_cursor(base64.urlsafe_b64encode(inside.encode()).decode())


@pytest.mark.parametrize(
    "others",
    [
        {"sort": "created_at_asc"},
        {"filename": "invoice"},
        {"status": "failed"},
        {"content_type": "image/png"},
        {"date_from": "2026-11-01"},
        {"date_to": "2026-11-01"},
    ],
    ids=str,
)
def test_a_cursor_of_other_parameters_is_refused(others: dict[str, str]) -> None:
    for first, next_one in ((others, {}), ({}, others)):
        refusal = refused(ListQuery(), ("cursor", cursor(listed(**first), PLACE)), *next_one.items())

        assert names(refusal) == ["cursor"]
        assert "other parameters" in refusal.detail


def test_a_cursor_leads_on_with_another_limit_and_times_that_are_written_otherwise() -> None:
    given = listed(date_from="2026-11-01", limit="5")

    assert listed(date_from="2026-11-01T00:00:00Z", limit="6", cursor=cursor(given, PLACE))["cursor"].place == PLACE


def test_a_cursor_of_an_earlier_release_is_taken() -> None:
    earlier = base64.urlsafe_b64encode(f"created_at_desc|{PLACE.created_at}|{PLACE.document_id}".encode()).decode()

    assert listed(cursor=earlier, status="failed")["cursor"].place == PLACE


@pytest.mark.parametrize(
    "others", [{"q": "other"}, {"fuzzy": "false"}, {"status": "failed"}, {"filename": "a"}], ids=str
)
def test_a_cursor_of_another_search_is_refused(others: dict[str, str]) -> None:
    given = {"q": "total", "limit": "5"}
    found = load(SearchQuery(), MultiDict(given))
    place = search_schemas.place_text(found, Place(7, 9))

    assert load(SearchQuery(), MultiDict({**given, "limit": "6", "cursor": place}))["cursor"].place == Place(7, 9)
    assert names(refused(SearchQuery(), *{**given, **others, "cursor": place}.items())) == ["cursor"]


@pytest.mark.parametrize(
    ("date_from", "date_to"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-11-01T10:00:00Z", "2026-11-01T09:59:59Z"),
        ("2026-11-02T00:00:00Z", "2026-11-01"),
    ],
)
def test_dates_that_let_nothing_pass_are_refused(date_from: str, date_to: str) -> None:
    refusal = refused(ListQuery(), date_from=date_from, date_to=date_to)

    assert names(refusal) == ["date_to"]


@pytest.mark.parametrize(
    ("date_from", "date_to"),
    [("2026-11-01", "2026-11-01"), ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"), ("9999-12-31", "9999-12-31")],
)
def test_dates_of_one_moment_or_day_are_taken(date_from: str, date_to: str) -> None:
    assert listed(date_from=date_from, date_to=date_to)["date_from"][0].day in (1, 31)


def test_a_cursor_together_with_an_offset_is_refused() -> None:
    refusal = refused(ListQuery(), cursor=cursor(listed(), PLACE), offset="5")

    assert names(refusal) == ["offset"]


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("0.5", 0.5), ("60", 60.0), ("3600", 3600.0)])
def test_a_wait_is_seconds(text: str, seconds: float) -> None:
    assert load(WaitQuery(), MultiDict(wait=text)) == {"wait": seconds}


def test_without_a_wait_nobody_waits() -> None:
    assert load(WaitQuery(), MultiDict()) == {"wait": 0.0}


@pytest.mark.parametrize("text", ["-1", "3601", "nan", "inf", "soon", ""])
def test_a_wait_that_cannot_be_is_refused(text: str) -> None:
    assert names(refused(WaitQuery(), wait=text)) == ["wait"]


def test_a_result_has_a_format_and_pages() -> None:
    assert load(ResultQuery(), MultiDict(format="json", pages="1-3,7")) == {
        "format": "json",
        "pages": (range(1, 4), range(7, 8)),
    }
    assert load(ResultQuery(), MultiDict()) == {}


@pytest.mark.parametrize(
    ("name", "text"), [("format", "doc"), ("format", ""), ("pages", "3-1"), ("pages", ""), ("page", "1")]
)
def test_a_wrong_parameter_of_a_result_is_refused_by_its_name(name: str, text: str) -> None:
    assert names(refused(ResultQuery(), (name, text))) == [name]


def test_a_query_of_a_url_means_the_same_each_time() -> None:
    schema = ResultQuery()

    for _ in range(2):
        assert load_query(schema, "format=txt&pages=1%2D3%2C7") == {
            "format": "txt",
            "pages": (range(1, 4), range(7, 8)),
        }
        assert load_query(schema, "") == {}
        with pytest.raises(Unprocessable, match="format"):
            load_query(schema, "format=doc")
        with pytest.raises(Unprocessable, match="more than once"):
            load_query(schema, "format=txt&format=json")


def test_every_format_can_be_asked_for() -> None:
    for name in FORMATS:
        assert load(ResultQuery(), MultiDict(format=name)) == {"format": name}


def test_names_that_this_service_chose_may_be_in_capitals() -> None:
    assert listed(status="PENDING", sort="Created_At_Asc") == listed(status="pending", sort="created_at_asc")
    assert load(ResultQuery(), MultiDict(format="TXT")) == {"format": "txt"}
    assert load(RetryOptions(), MultiDict(mode="Force", rotate="OFF", pages="NEEDS_REVIEW")) == {
        "mode": Mode.FORCE,
        "rotate": Rotate.OFF,
        "pages": NEEDS_REVIEW,
    }


@pytest.mark.parametrize("text", ["eng", "eng+deu", "chi_sim", "x" * 40, "+".join(["eng"] * 10)])
def test_languages_are_names_joined_by_plus(text: str) -> None:
    assert load(UploadOptions(), MultiDict(languages=text)) == {"languages": text}


def test_languages_may_have_a_space_where_a_query_lost_its_plus() -> None:
    assert load(UploadOptions(), MultiDict(languages="eng deu fra")) == {"languages": "eng+deu+fra"}


@pytest.mark.parametrize("text", ["", "+", "eng+", "eng  a", "../eng", "eng\n", "x" * 41, "+".join(["eng"] * 11), "ÿ"])
def test_languages_that_cannot_be_names_are_refused(text: str) -> None:
    assert names(refused(UploadOptions(), languages=text)) == ["languages"]
