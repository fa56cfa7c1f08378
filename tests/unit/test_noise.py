"""Specks come off the picture and letters stay, however thin; noisy paper stays on one side of a threshold."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from docserver.ocr.image.noise import isolated, speck_density, without_grain, without_specks

Shades = NDArray[np.uint8]


def strokes(width: int) -> Shades:
    """Upright strokes, like the letter l."""
    paper = np.full((900, 700), 240, dtype=np.uint8)
    for top in range(40, 840, 60):
        for left in range(40, 640, 12):
            paper[top : top + 30, left : left + width] = 30
    return paper


def speckled(paper: Shades, share: float) -> Shades:
    chance = np.random.default_rng(1).random(paper.shape)
    return np.where(chance < share / 2, 0, np.where(chance > 1 - share / 2, 255, paper)).astype(np.uint8)


def noisy(levels: NDArray[np.floating[Any]]) -> Shades:
    noise = np.random.default_rng(2).normal(0, 20, levels.shape)
    return np.clip(levels + noise, 0, 255).astype(np.uint8)


def density_in(picture: Shades) -> float:
    return speck_density(Image.fromarray(picture), top=0, rows=picture.shape[0])


def cleaned(picture: Shades) -> Shades:
    return np.asarray(without_specks(Image.fromarray(picture)))


@given(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_what_is_lone_has_at_most_one_neighbour_which_has_no_other(dark: NDArray[np.bool_]) -> None:
    def neighbours(row: int, column: int) -> list[tuple[int, int]]:
        near = [(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]
        return [(y, x) for y, x in near if 0 <= y < dark.shape[0] and 0 <= x < dark.shape[1] and dark[y, x]]

    def is_lone(row: int, column: int) -> bool:
        near = neighbours(row, column)
        return not near or (len(near) == 1 and len(neighbours(*near[0])) == 1)

    specks = isolated(dark)

    for (row, column), is_dark in np.ndenumerate(dark):
        assert specks[row, column] == (is_dark and is_lone(row, column))


def test_strokes_of_one_pixel_stay_when_specks_go() -> None:
    drawn = strokes(1)

    bare = cleaned(speckled(drawn, 0.01))

    assert np.mean(bare[drawn == 30] < 128) > 0.97
    assert np.mean(bare[drawn == 240] < 128) < 0.001


def test_among_thick_strokes_specks_go_that_touch_each_other() -> None:
    drawn = strokes(5)
    picture = speckled(drawn, 0.06)

    bare = cleaned(picture)

    assert (bare == np.asarray(Image.fromarray(picture).filter(ImageFilter.MedianFilter(3)))).all()
    assert np.mean(bare[drawn == 240] < 128) < 0.001


def test_specks_are_counted_in_the_open_alone() -> None:
    faint = strokes(1)
    # Strokes broken into dashes and single pixels, as of faint print.
    faint[4::8] = faint[6::8] = 240

    assert density_in(strokes(1)) == 0
    assert isolated(faint < 100).mean() > 0.003
    assert density_in(faint) < 0.0003
    assert 0.004 < density_in(speckled(strokes(1), 0.01)) < 0.006


def test_a_dot_on_a_snippet_is_no_speck() -> None:
    snippet = np.full((20, 60), 250, dtype=np.uint8)
    snippet[4:16, 10:12] = snippet[4, 30] = 20

    assert density_in(snippet) == 0


def test_specks_are_counted_on_noisy_paper_too() -> None:
    picture = noisy(strokes(3) * 0.9)

    assert density_in(picture) < 0.0005
    assert density_in(speckled(picture, 0.02)) > 0.005


def test_noisy_paper_is_parted_from_the_letters_and_not_from_itself() -> None:
    few = strokes(3)
    few[100:] = 240
    picture = noisy(few * 0.8)

    even = without_grain(Image.fromarray(picture))

    darkest_paper = picture[few == 240].min()
    assert np.asarray(even).max() < np.median(picture)
    assert np.asarray(even).min() == picture.min() < darkest_paper
    assert without_grain(even) is even


def test_clean_paper_shaded_boxes_and_tight_lines_are_left_as_they_are() -> None:
    shaded = strokes(3)
    shaded[300:600][shaded[300:600] == 240] = 150
    for picture in (strokes(3), shaded, strokes(5)[40:70, 40:640]):
        image = Image.fromarray(picture)

        assert without_grain(image) is image


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_pictures_of_a_few_pixels_have_no_grain_that_fails(picture: Shades) -> None:
    image = Image.fromarray(picture)

    assert without_specks(image).size == without_grain(image).size == image.size
    assert 0 <= density_in(picture) <= 1
