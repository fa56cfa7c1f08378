"""Pages whose language nobody has named are read with the model of theirs, by both ways to call Tesseract."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from docserver.model import Reading
from docserver.ocr.child import tasks
from docserver.ocr.languages import candidates
from docserver.ocr.limits import LIBRARY, PROGRAM, Limits
from tests.support import recognition as reading
from tests.support.engines import both_bindings
from tests.support.samples import page_text, pdf_texts
from tests.support.samples.languages import TEXTS, sheet, snippet

MODELS = ("deu", "eng", "rus")
"""Of those installed; more would be chosen from too, and tell the same."""


@pytest.fixture
def limits(limits: Limits) -> Limits:
    """Those of a process that has not read a page yet."""
    tasks._detector.cache_clear()
    return limits


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that Tesseract is called with from now on."""
    return reading.watch(monkeypatch, of=lambda _, **given: given["languages"])


def read(
    page: Image.Image | bytes,
    limits: Limits,
    *,
    among: tuple[str, ...] = MODELS,
    preferred: tuple[str, ...] = (),
    languages: str = "auto",
    **given: Any,
) -> Reading:
    limits = replace(limits, candidates=candidates(among, preferred=preferred))
    return reading.read(page, limits, languages=languages, **given)


# The library keeps what it has loaded for other pages; the program begins anew with each page.
@pytest.mark.parametrize(
    ("binding", "pages"), [(LIBRARY, ("rus", "deu", "eng", "deu", "rus")), (PROGRAM, ("rus", "deu"))]
)
def test_each_page_is_read_in_its_own_language(pages: tuple[str, ...], limits: Limits) -> None:
    for language in pages:
        reading = read(sheet(TEXTS[language]), limits)

        assert reading.languages == language
        assert reading.text.split() == TEXTS[language].split()


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("language", ["deu", "rus"])
def test_also_where_it_lies_on_its_side_or_upside_down(language: str, degrees: int, limits: Limits) -> None:
    reading = read(sheet(TEXTS[language]).rotate(degrees, expand=True), limits)

    assert (reading.languages, reading.rotation) == (language, degrees)
    assert reading.text.split() == TEXTS[language].split()


def test_also_where_it_lies_askew(limits: Limits) -> None:
    askew = sheet(TEXTS["rus"]).rotate(5, Image.Resampling.BICUBIC, expand=True, fillcolor=245)

    assert read(askew, limits).languages == "rus"


def test_the_script_of_a_single_word_is_told(limits: Limits) -> None:
    assert read(snippet("Железная"), limits).languages == "rus"
    assert read(snippet("Railway"), limits).languages == "eng"


def test_also_where_the_machine_is_busy_or_loads_a_model(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    process_time = time.process_time
    monkeypatch.setattr(time, "process_time", lambda: 100 * process_time())

    assert read(snippet("Железная"), limits).languages == "rus"


def test_a_language_that_a_word_does_not_tell_is_the_servers_own(limits: Limits) -> None:
    assert read(snippet("Rechnung"), limits).languages == "eng"
    assert read(snippet("Rechnung"), limits, preferred=("deu",)).languages == "deu"


@pytest.mark.parametrize("preferred", ["eng", "rus"])
def test_a_page_that_tells_nothing_is_read_in_the_servers_language(preferred: str, limits: Limits) -> None:
    shades = np.random.default_rng(1).normal(128, 40, (30, 40)).clip(0, 255).astype(np.uint8)
    scenery = Image.fromarray(shades).resize((800, 600), Image.Resampling.BICUBIC)
    read(sheet(TEXTS["deu"]), limits)

    assert read(Image.new("L", (600, 400), 255), limits, preferred=(preferred,)).languages == preferred
    assert read(scenery, limits, preferred=(preferred,)).languages == preferred


def test_the_next_page_of_a_language_costs_a_sample_alone(limits: Limits, shown: list[str]) -> None:
    read(sheet(TEXTS["rus"]), limits)
    shown.clear()

    read(sheet(TEXTS["rus"]), limits)

    assert shown == ["rus", "rus"]


def test_a_page_whose_lines_differ_in_language_is_read_again_in_that_of_most(limits: Limits, shown: list[str]) -> None:
    # The sample is taken where lines are the densest.
    head = sheet("\n".join(TEXTS["eng"].splitlines()[:4]), pitch=36).crop((0, 0, 1240, 300))
    body = sheet(TEXTS["deu"])
    page = Image.new("L", (1240, head.height + body.height), 245)
    page.paste(head, (0, 0))
    page.paste(body, (0, head.height))

    reading = read(page, limits)

    # Words that are unsure in the wrong language are read once more in it.
    assert shown[:2] == ["eng", "eng"]
    assert shown[2:].count("deu") == 1
    assert reading.languages == "deu"
    assert {"früh", "geprüft", "Brücke"} <= set(reading.text.split())


@both_bindings
def test_of_one_model_nothing_is_to_be_chosen(limits: Limits, shown: list[str]) -> None:
    assert read(sheet(TEXTS["eng"]), limits, among=("eng", "jpn_vert")).languages == "eng"
    assert shown == ["eng"]


@both_bindings
def test_languages_that_were_named_are_told(limits: Limits, shown: list[str]) -> None:
    assert read(sheet(TEXTS["deu"]), limits, languages="eng+deu").languages == "eng+deu"
    assert shown == ["eng+deu"]


def test_a_pages_own_text_was_read_with_none(limits: Limits, shown: list[str]) -> None:
    reading = read(pdf_texts([page_text(1)]), limits, content_type="application/pdf")

    assert (reading.source, reading.languages) == ("text_layer", None)
    assert shown == []
