"""Makes clean pages look scanned or photographed: paper, light, blur, noise, skew, perspective. Knows no text."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Levels = NDArray[np.float32]


def scanned(clean: Image.Image, seed: int, *, colour: bool = False, dpi: int = 300) -> Image.Image:
    """From a scanner in daily use: up to half a degree askew, paper not quite white and darker towards one edge."""
    chance = np.random.default_rng(seed)
    skewed = clean.rotate(chance.uniform(-0.5, 0.5), Image.Resampling.BICUBIC, fillcolor=255)
    blurred = skewed.filter(ImageFilter.GaussianBlur(chance.uniform(0.4, 0.9) * dpi / 300))
    levels = np.asarray(blurred, dtype=np.float32) * np.linspace(0.9, 1.0, clean.width, dtype=np.float32)
    if not colour:
        return _picture(_noisy(levels, chance, deviation=3))
    paper = np.array([(1, 0.98, 0.91), (0.98, 0.99, 1), (1, 0.96, 0.93)], dtype=np.float32)[chance.integers(3)]
    return _picture(_noisy(levels[..., None] * paper, chance, deviation=3))


def bilevel(clean: Image.Image, seed: int) -> Image.Image:
    """One bit per pixel, as from an office copier, where noise becomes specks."""
    chance = np.random.default_rng(seed)
    grey = scanned(clean, seed)
    levels = _noisy(np.asarray(grey, dtype=np.float32), chance, deviation=12)
    return Image.fromarray(levels > 150).convert("1", dither=Image.Dither.NONE)


def askew(clean: Image.Image, seed: int) -> Image.Image:
    """Laid on the glass carelessly: 2 to 7 degrees askew."""
    chance = np.random.default_rng(seed)
    degrees = chance.uniform(2, 7) * chance.choice((-1, 1))
    return scanned(clean.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255), seed)


def turned(clean: Image.Image, seed: int) -> Image.Image:
    """Laid on the glass sideways or upside down."""
    quarters = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    return scanned(clean, seed).transpose(quarters[seed % 3])


def photographed(clean: Image.Image, seed: int) -> Image.Image:
    """From a phone held at an angle over a dark desk: perspective, light from one side, a shadow, blur, noise."""
    chance = np.random.default_rng(seed)
    width, height = clean.size
    desk_px = width // 14
    desk = Image.new("L", (width + 2 * desk_px, height + 2 * desk_px), 70)
    desk.paste(clean, (desk_px, desk_px))
    corners = [(0, 0), (0, desk.height), (desk.width, desk.height), (desk.width, 0)]
    quad = [side + chance.uniform(-0.6, 0.6) * desk_px for corner in corners for side in corner]
    seen = desk.transform(desk.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC, fillcolor=70)
    seen = seen.filter(ImageFilter.GaussianBlur(chance.uniform(0.6, 1.1)))
    lit = np.asarray(seen, dtype=np.float32) * _light(seen.height, seen.width, chance)
    tinted = lit[..., None] * np.array([1.0, 0.96, 0.88], dtype=np.float32)
    return _picture(_noisy(tinted, chance, deviation=6))


def curled(clean: Image.Image, *, depth: float = 0.2) -> Image.Image:
    """A page of an open book, whose left side sinks towards the spine by this share of its width, seen from above."""
    distance, reach = 1.6, 0.35
    across = np.linspace(0, 1, 2000)
    below = depth * np.exp(-2 * (across / reach) ** 2)
    along = np.concatenate([[0], np.hypot(np.diff(across), np.diff(below)).cumsum()])
    scale = distance / (distance + below)
    seen = 0.5 + (across - 0.5) * scale
    columns, rows = np.linspace(0, 1, 65), np.linspace(0, 1, 17)
    of_paper = np.interp(columns, seen, along / along[-1], left=-0.02, right=1.02)
    at_columns = 0.5 + (rows - 0.5) / np.interp(columns, seen, scale)[:, np.newaxis]
    width, height = clean.size
    mesh = [
        (
            (round(left * width), round(top * height), round(right * width), round(bottom * height)),
            tuple(
                side
                for x, y in ((i, (i, j)), (i, (i, j + 1)), (i + 1, (i + 1, j + 1)), (i + 1, (i + 1, j)))
                for side in (of_paper[x] * width, at_columns[y] * height)
            ),
        )
        for i, (left, right) in enumerate(pairwise(columns))
        for j, (top, bottom) in enumerate(pairwise(rows))
    ]
    return clean.transform(clean.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC, fillcolor=255)


def rubbed(clean: Image.Image, seed: int) -> Image.Image:
    """A faded print on thermal paper: less contrast, blur, noise, a slight skew."""
    chance = np.random.default_rng(seed)
    skewed = clean.rotate(chance.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=255)
    levels = np.asarray(skewed.filter(ImageFilter.GaussianBlur(0.5)), dtype=np.float32)
    return _picture(_noisy(60 + levels * 0.7, chance, deviation=6))


def _light(height: int, width: int, chance: np.random.Generator) -> Levels:
    """Brightness from 0.45 in the darkest corner to 1, with the soft edge of a shadow across the page."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    towards = chance.uniform(0, 2 * np.pi)
    slope = (np.cos(towards) * (across - 0.5) + np.sin(towards) * (down - 0.5)) * 0.35
    edge = chance.uniform(0.3, 0.7)
    shadow = 0.2 / (1 + np.exp((across + 0.3 * down - edge - 0.15) * 25))
    light: Levels = np.clip(0.85 + slope - shadow, 0.45, 1.0)
    return light


def _noisy(levels: Levels, chance: np.random.Generator, *, deviation: float) -> Levels:
    noisy: Levels = levels + deviation * chance.standard_normal(levels.shape, dtype=np.float32)
    return noisy


def _picture(levels: Levels) -> Image.Image:
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
