"""Markdown: what the layout tells, and nothing that a document says taken for markup."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from docserver.formats import TEXT_FORMATS
from docserver.formats.md import escaped
from docserver.layout import Line, Paragraph, Word
from docserver.model import Page
from docserver.xml_text import clean
from tests.support.pages import JOB, failed, page, paragraph, read

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})

BODY = "The body of this text goes on and on in letters of one size so that it is known\n" * 5 + "to the end."


def md(*pages: Page) -> str:
    return b"".join(TEXT_FORMATS["md"].write(JOB, pages)).decode()


def shown(text: str) -> list[tuple[str, str]]:
    """What a reader of Markdown sees: each block's tag and its plain text."""
    found, tag = [], ""
    for token in PARSER.parse(text):
        if token.type == "inline":
            assert {child.type for child in token.children or []} <= {"text", "text_special"}, token
            found.append((tag, "".join(child.content for child in token.children or [])))
        elif token.nesting == 1 and not token.hidden:
            tag = token.tag
        elif token.nesting == 0:
            found.append((token.type, token.content))
    return found


def test_the_lines_of_a_paragraph_become_one_and_paragraphs_stay_apart() -> None:
    assert md(page("one\ntwo", "three"), page("four", number=2)) == "one two\n\nthree\n\nfour\n"


@pytest.mark.parametrize(("size", "level"), [(40, 0), (44, 0), (52, 3), (60, 2), (80, 1)])
def test_short_paragraphs_in_larger_letters_are_headings(size: int, level: int) -> None:
    given = read([paragraph("Summary of all", size=size), paragraph(BODY, top=300)])

    assert md(given).startswith(f"{'#' * level} Summary of all\n\n" if level else "Summary of all\n\n")


@pytest.mark.parametrize("heading", ["Sum", "Sea", "Gyp", "SUMMARY", "1. Quay", "On a"])
def test_letters_that_rise_or_sink_do_not_make_a_heading(heading: str) -> None:
    assert not md(read([paragraph(heading), paragraph(BODY, top=300)])).startswith("#")


def test_a_page_of_little_text_is_measured_against_the_whole_document() -> None:
    title = read([paragraph("Annual Report", size=120)])
    body = read([paragraph(BODY)], number=2)

    assert md(title, body).startswith("# Annual Report\n")
    assert md(title) == "Annual Report\n"


def test_the_headings_of_a_page_that_lies_on_its_side_are_found_too() -> None:
    upright = read([paragraph("Summary of all", size=80), paragraph(BODY, top=300)])
    assert upright.reading
    (heading, body) = (block.paragraphs[0] for block in upright.reading.blocks)
    lying = read([Paragraph(part.box, tuple(map(across, part.lines))) for part in (heading, body)])
    assert lying.reading

    assert md(replace(lying, reading=replace(lying.reading, rotation=90))) == md(upright)


def across(line: Line) -> Line:
    """The line as it lies on a page that was turned a quarter."""
    words = (
        Word(word.text, (word.box[1], word.box[0], word.box[3], word.box[2]), word.confidence) for word in line.words
    )
    return Line(line.box, tuple(words))


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("Summary", True),
        ("1 Summary", True),
        ("“Quotes”", True),
        ("Really?", True),
        ("It was so.", False),
        ("They are:", False),
        ("and so on", False),
        ("¢ An item", False),
        ("***", False),
    ],
)
def test_large_letters_alone_do_not_make_a_heading(text: str, heading: bool) -> None:
    given = read([paragraph(text, size=80), paragraph(BODY, top=300)])

    assert md(given).startswith("#") is heading


def test_long_text_in_large_letters_is_no_heading() -> None:
    given = read([paragraph(BODY, size=80), *(paragraph(BODY, top=1000 + 300 * n) for n in range(4))])

    assert "#" not in md(given)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("the recogni-\ntion of words", "the recognition of words"),
        ("recogni\u00ad\ntion", "recognition"),
        ("recogni\u2010\ntion", "recognition"),
        ("is well-known\nthe well-\nknown one", "is well-known the well-known one"),
        ("recognition\nof recogni-\ntion", "recognition of recognition"),
        ("pages 12-\n14", "pages 12-14"),
        ("Anna Meyer-\nSchmidt", "Anna Meyer-Schmidt"),
        ("state-of-the-\nart", "state-of-the-art"),
        ("pre-\nand postwar", "pre- and postwar"),
        ("Haupt-\nund Nebensatz", "Haupt- und Nebensatz"),
        ("the island, an is-\nland and is-\nand", "the island, an island and is- and"),
        ("one -\ntwo", "one - two"),
        ("an x-\nray", "an x-ray"),
        ("日本\n語", "日本語"),
    ],
)
def test_words_divided_at_the_end_of_a_line_are_put_together_where_that_is_safe(lines: str, text: str) -> None:
    assert md(page(lines)) == f"{text}\n"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("• one\n• two\nmore of it", "- one\n- two more of it\n"),
        ("•one\n•two", "- one\n- two\n"),
        ("They are:\n- one\n- two", "They are:\n\n- one\n- two\n"),
        ("1. one\n2. two\n3. three", "1. one\n2. two\n3. three\n"),
        ("4) one\n5) two", "4) one\n5) two\n"),
    ],
)
def test_lines_that_begin_with_marks_or_numbers_in_order_are_lists(lines: str, text: str) -> None:
    assert md(page(lines)) == text


@pytest.mark.parametrize("lines", ["12. Mai 2020\nwar ein Dienstag", "3. drei\n9. neun", "a\n- b\nc", "the •\n1."])
def test_a_number_or_a_dash_that_stands_alone_is_no_list(lines: str) -> None:
    assert [tag for tag, _ in shown(md(page(lines)))] == ["p"]


def test_items_that_are_paragraphs_of_their_own_are_one_list() -> None:
    assert md(page("• one", "• two", "after")) == "- one\n- two\n\nafter\n"


@pytest.mark.parametrize(
    "text",
    [
        "# no heading",
        "- no item",
        "+ no item",
        "2020. no item",
        "> no quote",
        "=== ---",
        "---",
        "* * *",
        "`code` *strong* _emphasis_ ~~struck~~",
        "[link](javascript:alert) ![image](x) [ref]: x",
        "<script>alert(1)</script> <!-- x --> <a@b.c>",
        "&lt; &#60; AT&T",
        "a | b",
        "| - |",
        "~~~",
        r"back\slash \* end\\",
        "1)",
        "[ ] todo",
        "[^1]: note",
    ],
)
def test_text_that_looks_like_markup_is_shown_as_it_is(text: str) -> None:
    assert shown(md(page(text))) == [("p", text)]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Z"]), min_size=1))
def test_any_word_is_shown_as_it_is(word: str) -> None:
    assert shown(escaped(clean(word))) == [("p", clean(word))]


def test_a_page_that_could_not_be_read_is_told_in_a_comment() -> None:
    assert md(page("one"), failed(2)) == "one\n\n<!-- page 2 could not be read: page_timeout -->\n"


def test_an_empty_document_is_empty() -> None:
    assert md(read([])) == ""
