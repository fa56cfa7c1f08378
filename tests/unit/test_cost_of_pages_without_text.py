"""How often Tesseract is asked to read pages on which nothing is written, and how much of them."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition import page_variants
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised
from tests.support.empty_sheets import (
    HEIGHT,
    WIDTH,
    FakeTesseract,
    MirrorReader,
    attempt_on,
    lines_of_bars,
    noisy,
    read,
    ruled,
    thin_rules,
)


def test_a_blank_sheet_is_read_once() -> None:
    tesseract = FakeTesseract(NOTHING)

    attempt = attempt_on(ruled(step=14, shade=170, squared=True), tesseract)

    assert tesseract.pictures == [(WIDTH, HEIGHT)]
    assert (attempt.recognised, attempt.left_out) == (NOTHING, False)


def pattern() -> Image.Image:
    waves = np.add.outer(np.sin(np.arange(HEIGHT) / 9), np.sin(np.arange(WIDTH) / 9))
    return Image.fromarray(np.where(waves > 1.5, 40, 220).astype(np.uint8))


def test_of_a_pattern_only_samples_are_read_in_the_other_directions() -> None:
    tesseract = FakeTesseract(read(*[("SST", 10.0)] * 100))

    attempt = attempt_on(pattern(), tesseract)

    *samples, whole = sorted(width * height for width, height in tesseract.pictures)
    assert attempt.recognised == NOTHING
    assert whole == WIDTH * HEIGHT
    assert len(samples) > 2
    assert max(samples) < whole / 2


def test_where_nothing_is_read_it_is_not_read_upside_down() -> None:
    tesseract = FakeTesseract(NOTHING)

    attempt_on(pattern(), tesseract)

    assert sorted(tesseract.pictures) == [(WIDTH, HEIGHT // 4), (WIDTH, HEIGHT), (HEIGHT, WIDTH // 4)]


def test_a_sample_without_ink_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_variants, "sample_rows", lambda _, most: (0, min(40, most)))
    tesseract = FakeTesseract(NOTHING)

    attempt_on(noisy(lines_of_bars(20), 2), tesseract)

    assert {size[1] / size[0] for size in tesseract.pictures} == {HEIGHT / WIDTH}


def test_a_sample_of_three_letters_is_no_reason_to_turn_a_page() -> None:
    class ReadsSamples(FakeTesseract):
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            super().recognise(picture, dpi=dpi, languages=languages, layout=layout)
            return read(("the", 90.0)) if picture.width * picture.height < WIDTH * HEIGHT / 2 else NOTHING

    tesseract = ReadsSamples(NOTHING)

    attempt_on(lines_of_bars(20), tesseract)

    assert [size for size in tesseract.pictures if size[0] * size[1] >= WIDTH * HEIGHT / 2] == [(WIDTH, HEIGHT)] * 2


def test_a_page_is_not_read_in_other_directions_if_its_text_shows_through() -> None:
    unsure, sure = read(*[("teh", 40.0)] * 20, ("ox", 90.0)), read(*[("the", 95.0)] * 20)
    tesseract = MirrorReader(unsure, sure)

    attempt = PageReader(Picture(lines_of_bars(225), None), tesseract, turning=True).read("eng")

    assert (attempt.recognised, attempt.left_out) == (NOTHING, True)
    assert max(width * height for width, height in tesseract.pictures) < WIDTH * HEIGHT / 2


def test_nor_if_it_shows_through_so_dark_that_the_page_was_read_once() -> None:
    page = lines_of_bars(120)
    for top in range(100, 700, 40):
        ImageDraw.Draw(page).rectangle((60, top, 69, top + 22), fill=120)
    mirrored = ImageOps.mirror(page).tobytes()

    class ReadsMirrorImage(FakeTesseract):
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            unsure = super().recognise(picture, dpi=dpi, languages=languages, layout=layout)
            return read(*[("the", 95.0)] * 20) if picture.tobytes() in mirrored else unsure

    tesseract = ReadsMirrorImage(read(*[("teh", 40.0)] * 20, ("oxeye", 90.0)))

    attempt = attempt_on(page, tesseract)

    assert (attempt.recognised, attempt.left_out) == (NOTHING, True)
    assert sum(width * height == WIDTH * HEIGHT for width, height in tesseract.pictures) == 1


@pytest.mark.parametrize(
    ("answer", "longest_side"),
    [(NOTHING, HEIGHT), (read(*[("receipt", 95.0)] * 9), 3 * HEIGHT)],
    ids=["nothing", "text"],
)
def test_a_small_page_is_enlarged_only_if_it_shows_text(answer: Recognised, longest_side: int) -> None:
    tesseract = FakeTesseract(answer)

    attempt_on(thin_rules(), tesseract)

    assert max(max(size) for size in tesseract.pictures) == longest_side


def test_of_a_pattern_with_ruled_lines_the_original_is_read() -> None:
    @dataclass
    class Sees(FakeTesseract):
        seen: list[bytes] = field(default_factory=list)

        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            self.seen.append(picture.tobytes())
            return super().recognise(picture, dpi=dpi, languages=languages, layout=layout)

    image, tesseract = thin_rules(), Sees(NOTHING)

    attempt_on(image, tesseract)

    whole = [seen for seen, size in zip(tesseract.seen, tesseract.pictures, strict=True) if size == image.size]
    assert whole == [image.tobytes()]
