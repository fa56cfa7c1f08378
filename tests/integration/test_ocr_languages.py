"""Pages whose language nobody has named are read with the model of theirs, by both ways to call Tesseract."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from docserver.model import Options, Reading
from docserver.ocr import calls
from docserver.ocr.limits import Limits
from docserver.ocr.models import candidates
from docserver.ocr.tesseract_library import TesseractLibrary
from docserver.ocr.tesseract_program import TesseractProgram
from tests.engines import BINDINGS, engine_of
from tests.samples import page_text, pdf_texts
from tests.samples_languages import TEXTS, sheet, snippet

Read = Callable[..., Reading]

MODELS = ("deu", "eng", "rus")
"""Of those installed; more would be chosen from too, and tell the same."""


@pytest.fixture(params=BINDINGS)
async def read(request: pytest.FixtureRequest, tmp_path: Path) -> Read:
    """Read a picture or a PDF in a language that is chosen from MODELS."""
    engine = await engine_of(request.param)
    assert set(MODELS) <= set(engine.models), "make test installs them"
    calls._choice.cache_clear()

    def read(
        page: Image.Image | bytes, *, languages: str = "auto", among: tuple[str, ...] = MODELS, **options: Any
    ) -> Reading:
        limits = Limits(
            scratch=str(tmp_path),
            source=str(tmp_path),
            sandbox="off",
            memory_mb=1000,
            max_pages=5,
            max_page_pixels=20_000_000,
            pdf_dpi=300,
            call_s=60,
            binding=engine.binding,
            tessdata=engine.tessdata,
            candidates=candidates(among, preferred=options.pop("preferred", ())),
            review_below=80,
        )
        source = tmp_path / "page"
        if isinstance(page, bytes):
            source.write_bytes(page)
        else:
            page.save(source, "PNG")
        content_type = "application/pdf" if isinstance(page, bytes) else "image/png"
        return calls.read_page(str(source), content_type, page=1, options=Options(languages, **options), limits=limits)

    return read


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that Tesseract is called with from now on."""
    seen: list[str] = []
    for tesseract in (TesseractLibrary, TesseractProgram):
        recognise = tesseract.recognise

        def watched(self: Any, picture: Image.Image, *, recognise: Any = recognise, **given: Any) -> Any:
            seen.append(given["languages"])
            return recognise(self, picture, **given)

        monkeypatch.setattr(tesseract, "recognise", watched)
    return seen


def test_each_page_is_read_in_its_own_language(read: Read) -> None:
    for language in ("rus", "deu", "eng", "deu", "rus"):
        reading = read(sheet(TEXTS[language]))

        assert reading.languages == language
        assert reading.text.split() == TEXTS[language].split()


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("language", ["deu", "rus"])
def test_also_where_it_lies_on_its_side_or_upside_down(language: str, degrees: int, read: Read) -> None:
    reading = read(sheet(TEXTS[language]).rotate(degrees, expand=True))

    assert (reading.languages, reading.rotation) == (language, degrees)
    assert reading.text.split() == TEXTS[language].split()


def test_also_where_it_lies_askew(read: Read) -> None:
    askew = sheet(TEXTS["rus"]).rotate(5, Image.Resampling.BICUBIC, expand=True, fillcolor=245)

    assert read(askew).languages == "rus"


def test_the_script_of_a_single_word_is_told(read: Read) -> None:
    assert read(snippet("Железная")).languages == "rus"
    assert read(snippet("Railway")).languages == "eng"


def test_a_language_that_a_word_does_not_tell_is_the_servers_own(read: Read) -> None:
    assert read(snippet("Rechnung")).languages == "eng"
    assert read(snippet("Rechnung"), preferred=["deu"]).languages == "deu"


@pytest.mark.parametrize("preferred", ["eng", "rus"])
def test_a_page_that_tells_nothing_is_read_in_the_servers_language(preferred: str, read: Read) -> None:
    shades = np.random.default_rng(1).normal(128, 40, (30, 40)).clip(0, 255).astype(np.uint8)
    scenery = Image.fromarray(shades).resize((800, 600), Image.Resampling.BICUBIC)
    read(sheet(TEXTS["deu"]))

    assert read(Image.new("L", (600, 400), 255), preferred=[preferred]).languages == preferred
    assert read(scenery, preferred=[preferred]).languages == preferred


def test_the_next_page_of_a_language_costs_a_sample_alone(read: Read, shown: list[str]) -> None:
    read(sheet(TEXTS["rus"]))
    shown.clear()

    read(sheet(TEXTS["rus"]))

    assert shown == ["rus", "rus"]


def test_a_page_whose_lines_differ_in_language_is_read_again_in_that_of_most(read: Read, shown: list[str]) -> None:
    # The sample is taken where lines are the densest.
    head = sheet("\n".join(TEXTS["eng"].splitlines()[:4]), pitch=36).crop((0, 0, 1240, 300))
    body = sheet(TEXTS["deu"])
    page = Image.new("L", (1240, head.height + body.height), 245)
    page.paste(head, (0, 0))
    page.paste(body, (0, head.height))

    reading = read(page)

    assert shown == ["eng", "eng", "deu"]
    assert reading.languages == "deu"
    assert {"früh", "geprüft", "Brücke"} <= set(reading.text.split())


def test_of_one_model_nothing_is_to_be_chosen(read: Read, shown: list[str]) -> None:
    assert read(sheet(TEXTS["eng"]), among=("eng", "frk")).languages == "eng"
    assert shown == ["eng"]


def test_languages_that_were_named_are_told(read: Read, shown: list[str]) -> None:
    assert read(sheet(TEXTS["deu"]), languages="eng+deu").languages == "eng+deu"
    assert shown == ["eng+deu"]


def test_a_pages_own_text_was_read_with_none(read: Read, shown: list[str]) -> None:
    reading = read(pdf_texts([page_text(1)]))

    assert (reading.source, reading.languages) == ("text_layer", None)
    assert shown == []
