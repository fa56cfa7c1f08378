"""Whatever a client or an operator writes: a parser gives a value within its bounds, or its own error."""

import base64
from contextlib import suppress
from dataclasses import fields
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict

from docserver.database.address import Address
from docserver.documents.intake import MAX_FILENAME, clean_filename
from docserver.errors import BadRequest, Misdirected, Unprocessable
from docserver.formats import FORMATS
from docserver.formats.negotiation import negotiate
from docserver.page_ranges import MAX_PAGE_NUMBER, InvalidPages, format_pages, parse_pages
from docserver.settings import Settings, SettingsError, load, variable
from docserver.sniff import SUPPORTED, sniff
from docserver.web import request_schemas, validation
from docserver.web.clients import client_of
from docserver.web.hosts import AllowedHosts
from tests.fuzz.effort import tries
from tests.fuzz.values import damaged
from tests.support.samples import png

TOKENS = (
    *(",", ";", "-", "+", "=", "|", "q", "*", "/", "//", ":", "::1", "[", "]", ".", " ", "%", "%zz", "@", "#", "?"),
    *("1", "0", "-1", "1e9", "nan", "9" * 30, "٣", "²", "\x00", "\ud800", "on", "mysql://", "redis://", "10.0.0.0/8"),
    *("2026-11-23", "T24:00:00", "0001-01-01T00:00:00+14:00", "Z", "needs_review", "eng", "text/plain"),
)
written = st.lists(st.sampled_from(TOKENS), max_size=8).map("".join) | st.text(max_size=20)
SCHEMAS = (
    request_schemas.WaitQuery(),
    request_schemas.ResultQuery(),
    request_schemas.PageQuery(),
    request_schemas.RetryOptions(),
    request_schemas.UploadOptions(),
    request_schemas.ListQuery(),
)
SAMPLES = st.sampled_from([png(), *(b"%PDF-1.7 1 0 obj", b"II*\x00", b"BM" + bytes(30), b"\x00\x00\x00\x18ftypmif1")])


@tries(50)
@given(text=written)
def test_page_ranges_are_within_their_bounds_and_can_be_written_again(text: str) -> None:
    try:
        ranges = parse_pages(text)
    except InvalidPages:
        return
    assert all(1 <= part.start < part.stop <= MAX_PAGE_NUMBER + 1 for part in ranges)
    assert parse_pages(format_pages(ranges)) == ranges


@tries(50)
@given(text=written)
def test_an_accept_header_chooses_one_of_the_formats_or_none(text: str) -> None:
    assert negotiate(text) in (None, *FORMATS.values())


@tries(50)
@given(given_headers=st.lists(written, max_size=3))
def test_forwarded_addresses_always_give_a_client(given_headers: list[str]) -> None:
    headers = CIMultiDict([("X-Forwarded-For", text) for text in given_headers])
    request: Any = SimpleNamespace(remote="10.0.0.1", headers=headers)
    assert isinstance(client_of(request, (ip_network("0.0.0.0/0"), ip_network("::/0"))), str)


@tries(50)
@given(host=written, patterns=st.lists(written, max_size=2).map(tuple), local=st.booleans())
def test_a_host_is_allowed_malformed_or_misdirected(host: str, patterns: tuple[str, ...], *, local: bool) -> None:
    with suppress(BadRequest, Misdirected):
        AllowedHosts(patterns, local_only=local).check(host)


@tries(50)
@given(schema=st.sampled_from(SCHEMAS), data=st.data())
def test_the_parameters_of_a_request_are_accepted_or_refused(schema: Any, data: st.DataObject) -> None:
    names = st.sampled_from(sorted(schema.fields)) | written
    values: st.SearchStrategy[Any] = written | st.none() | st.integers() | st.floats() | st.lists(written, max_size=2)
    given_values = data.draw(st.lists(st.tuples(names, values), max_size=4))
    try:
        validation.load(schema, MultiDict(given_values))
    except Unprocessable as refusal:
        assert refusal.errors


@tries(50)
@given(text=written | written.map(lambda text: base64.urlsafe_b64encode(text.encode(errors="replace")).decode()))
def test_a_cursor_is_accepted_or_refused(text: str) -> None:
    with suppress(Unprocessable):
        validation.load(request_schemas.ListQuery(), MultiDict(cursor=text))


@tries(50)
@given(name=written | st.text(max_size=400))
def test_a_file_name_becomes_short_and_printable(name: str) -> None:
    cleaned = clean_filename(name)
    assert 0 < len(cleaned) <= MAX_FILENAME
    assert not set(cleaned) & set("/\\\0\r\n")


@tries(50)
@given(setting=st.sampled_from(fields(Settings)), text=written)
def test_a_setting_is_accepted_or_refused_by_its_name(setting: Any, text: str) -> None:
    try:
        settings = load({variable(setting.name): text}, dotenv=None)
    except SettingsError as refusal:
        assert variable(setting.name) in str(refusal)
        return
    if settings.mysql_url:
        Address.parse(settings.mysql_url)


@tries(50)
@given(data=st.data())
def test_the_head_of_a_file_is_of_a_supported_type_or_of_none(data: st.DataObject) -> None:
    assert sniff(data.draw(SAMPLES.flatmap(damaged))) in (None, *SUPPORTED)
