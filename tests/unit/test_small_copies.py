"""Small pages in two tones, such as copies and faxes, whose letters have jagged edges."""

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docserver.ocr.image.analysis import analyse
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.preparation import SOFT_SCALE, enlargement, prepare
from tests.support.recognition import LINES


def scan(*, reduced: int = 2) -> Image.Image:
    """A letter as it is scanned at 100 dpi, or at 200."""
    image = Image.new("L", (827 * 2, 1169 * 2), 255)
    font = ImageFont.load_default(size=28)
    for number, line in enumerate(LINES * 3):
        ImageDraw.Draw(image).text((120, 120 + 48 * number), line, fill=20, font=font)
    return image.reduce(reduced).filter(ImageFilter.GaussianBlur(0.5))


def copied(*, reduced: int = 2) -> Image.Image:
    return scan(reduced=reduced).point(lambda level: 255 * (level > 160))


def picture(image: Image.Image) -> Picture:
    return Picture(image, 100)


def test_only_a_page_without_shades_is_in_two_tones() -> None:
    seen, of_copy = analyse(scan()), analyse(copied())

    assert seen
    assert of_copy
    assert not seen.is_two_toned
    assert of_copy.is_two_toned


def test_the_edges_of_a_small_copy_are_softened_before_it_is_enlarged() -> None:
    page, analysis, _ = prepare(picture(copied()))

    assert analysis
    assert len(page.image.getcolors(256) or ()) > 2
    assert enlargement(page, analysis) == SOFT_SCALE


def test_a_copy_of_usual_size_stays_as_it_is() -> None:
    page, analysis, _ = prepare(picture(copied(reduced=1)))

    assert analysis
    assert len(page.image.getcolors(256) or ()) == 2
