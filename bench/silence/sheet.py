"""A page of a PDF in the making, and the words that one sees on it. Knows no trick."""

import io
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
from PIL import Image, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from bench import texts
from bench.pages import font_file

Rect = tuple[float, float, float, float]
"""Left, bottom, right, top in points of the page, from its lower left corner."""

WIDTH, HEIGHT = 595.0, 842.0
LEFT, TOP = 64.0, 770.0

RISE, SINK = 0.72, 0.22
"""Height of letters above and below the baseline, as shares of their size."""

EMBEDDED = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono")
"""Their letters are those of many scripts."""

UNMAPPED = "Unmapped"
"""A font whose letters have no meaning in a finished PDF."""

PLAIN = ("Times-Roman", "Helvetica", "Courier", "DejaVuSans", "DejaVuSerif")

Change = Callable[[pikepdf.Pdf], None]


@dataclass(frozen=True, slots=True)
class Word:
    """A word that one sees on a page."""

    text: str
    rect: Rect
    line: int
    """Words of one line follow each other."""
    flow: int
    """Lines of one flow, such as a column, are read in their order. Between flows, any order is right."""
    certain: bool = True
    """False if one may see it or not, as a word that is cut in two."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A PDF of one page, and its words in points of the page as it is in the file."""

    group: str
    trick: str
    seed: int
    data: bytes
    words: tuple[Word, ...]


class Sheet:
    """A page to which tricks add text from top to bottom."""

    def __init__(self, chance: random.Random, *, turns: int = 0) -> None:
        """`turns`: quarter turns by which viewers turn the page clockwise, so that its text stands upright."""
        self.chance = chance
        self.font = self.chance.choice(PLAIN)
        self.size = self.chance.choice((9.0, 10.0, 11.0, 12.0))
        self.y = TOP
        self.words: list[Word] = []
        self.changes: list[Change] = []
        """What is done to the finished PDF."""
        self._file = io.BytesIO()
        size = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
        self.canvas = Canvas(self._file, pagesize=size, invariant=True)
        if turns:
            self.canvas.translate(*((HEIGHT, 0), (WIDTH, HEIGHT), (0, WIDTH))[turns - 1])
            self.canvas.rotate(90 * turns)
            self.page_entry("Rotate", 90 * turns)
        self._line = self._flow = 0
        self._in_flow = False

    def down(self, height: float) -> float:
        """Leave room for something; the baseline of its last line."""
        self.y -= height
        return self.y

    @contextmanager
    def flow(self) -> Iterator[None]:
        """Lines that are read in this order."""
        self._flow += 1
        self._in_flow = True
        yield
        self._in_flow = False

    def put(self, text: str, x: float, y: float, *, font: str = "", size: float = 0, same_line: bool = False) -> float:
        """Draw a line of text that one sees. Returns where it ends."""
        self.see(text, x, y, font=font, size=size, same_line=same_line)
        return self.draw(text, x, y, font=font, size=size)

    def draw(self, text: str, x: float, y: float, *, font: str = "", size: float = 0) -> float:
        """Draw a line of text that nobody sees. Returns where it ends."""
        font, size = self._face(font), size or self.size
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, y, text)
        return x + self.width(text, font=font, size=size)

    def see(
        self,
        text: str,
        x: float,
        y: float,
        *,
        font: str = "",
        size: float = 0,
        same_line: bool = False,
        step: float = 0,
        certain: bool = True,
    ) -> None:
        """Note the words of a line as seen without drawing them; `step` is added between letters."""
        if not same_line:
            self._line += 1
            self._flow += not self._in_flow
        for word in text.split(" "):
            width = self.width(word, font=font, size=size) + step * len(word)
            if word:
                self.see_word(word, x, y, width=width, size=size or self.size, certain=certain)
            x += width + self.width(" ", font=font, size=size) + step

    def see_word(self, word: str, x: float, y: float, *, width: float, size: float, certain: bool = True) -> None:
        """Note one word of the present line as seen."""
        corners = (
            (x, y - SINK * size),
            (x + width, y - SINK * size),
            (x, y + RISE * size),
            (x + width, y + RISE * size),
        )
        points = [self.canvas.absolutePosition(*corner) for corner in corners]
        xs, ys = zip(*points, strict=True)
        self.words.append(Word(word, (min(xs), min(ys), max(xs), max(ys)), self._line, self._flow, certain))

    def width(self, text: str, *, font: str = "", size: float = 0) -> float:
        return float(pdfmetrics.stringWidth(text, self._face(font), size or self.size))

    def line(self, text: str = "", *, x: float = LEFT, font: str = "", size: float = 0) -> float:
        """Put a line below what is on the page. Returns where it ends."""
        return self.put(text or texts.line(self.chance), x, self.down(1.4 * (size or self.size)), font=font, size=size)

    def prose(self, lines: int, *, x: float = LEFT, width: float = WIDTH - 2 * LEFT) -> None:
        """Put a paragraph below what is on the page."""
        with self.flow():
            for text in self.wrapped(lines, width=width):
                self.line(text, x=x)
        self.down(self.size)

    def wrapped(self, lines: int, *, width: float) -> list[str]:
        """Lines of prose, each at most this wide."""
        words = iter(" ".join(texts.prose(self.chance, words=lines * 25)).split())
        made: list[str] = []
        text = next(words)
        while len(made) < lines:
            word = next(words)
            if self.width(f"{text} {word}") > width:
                made.append(text)
                text = word
            else:
                text += f" {word}"
        return made

    @contextmanager
    def moved(self, x: float, y: float, *, turn: float = 0, scale: float = 1) -> Iterator[None]:
        """Draw with this point as origin, turned counterclockwise and scaled."""
        self.canvas.saveState()
        self.canvas.translate(x, y)
        self.canvas.rotate(turn)
        self.canvas.scale(scale, scale)
        yield
        self.canvas.restoreState()

    @contextmanager
    def state(self, *, operators: str = "", fill: Sequence[float] = (0, 0, 0), alpha: float = 1) -> Iterator[None]:
        """Draw with these operators in force, this colour and this opacity."""
        self.canvas.saveState()
        self.canvas.setFillColorRGB(*fill)
        if alpha < 1:
            self.canvas.setFillAlpha(alpha)
        if operators:
            self.canvas.addLiteral(operators)
        yield
        self.canvas.restoreState()

    @contextmanager
    def clip(self, x: float, y: float, width: float, height: float) -> Iterator[None]:
        """Draw within this rectangle only."""
        self.canvas.saveState()
        path = self.canvas.beginPath()
        path.rect(x, y, width, height)
        self.canvas.clipPath(path, stroke=0, fill=0)
        yield
        self.canvas.restoreState()

    def box(self, x: float, y: float, width: float, height: float, *, fill: Sequence[float] = (0, 0, 0)) -> None:
        """A filled rectangle."""
        with self.state(fill=fill):
            self.canvas.rect(x, y, width, height, stroke=0, fill=1)

    def picture(self, image: Image.Image, x: float, y: float, *, width: float, height: float) -> None:
        self.canvas.drawImage(ImageReader(image), x, y, width, height, mask="auto")

    def resource(self, kind: str, name: str, make: Callable[[pikepdf.Pdf], Any]) -> None:
        """Give the page a resource, such as a pattern, under a name that operators use."""

        def change(pdf: pikepdf.Pdf) -> None:
            resources = pdf.pages[0].obj.Resources
            if f"/{kind}" not in resources:
                resources[f"/{kind}"] = pikepdf.Dictionary()
            resources[f"/{kind}"][f"/{name}"] = make(pdf)

        self.changes.append(change)

    def page_entry(self, name: str, value: Any) -> None:
        """Set an entry of the page's dictionary."""

        def change(pdf: pikepdf.Pdf) -> None:
            pdf.pages[0].obj[f"/{name}"] = value

        self.changes.append(change)

    def unmap(self) -> None:
        """Take from the font UNMAPPED what says which characters its letters are."""

        def change(pdf: pikepdf.Pdf) -> None:
            for entry in pdf.pages[0].obj.Resources.Font.values():
                if "Vera" in str(entry.BaseFont):
                    del entry["/ToUnicode"]

        self.changes.append(change)

    def remap(self, font: str, letters: str, meaning: int) -> None:
        """Let an embedded font say that each of these letters means another character."""

        def change(pdf: pikepdf.Pdf) -> None:
            for entry in pdf.pages[0].obj.Resources.Font.values():
                if str(entry.BaseFont).endswith(f"+{font}"):
                    mapping = entry.ToUnicode.read_bytes()
                    for letter in letters:
                        mapping = mapping.replace(b"> <%04X>" % ord(letter), b"> <%04X>" % meaning)
                    entry.ToUnicode = pdf.make_stream(mapping)

        self.changes.append(change)

    def finished(self) -> bytes:
        """The PDF."""
        self.canvas.showPage()
        self.canvas.save()
        with pikepdf.open(io.BytesIO(self._file.getvalue())) as pdf:
            for change in self.changes:
                change(pdf)
            file = io.BytesIO()
            pdf.save(file, deterministic_id=True)
        return file.getvalue()

    def _face(self, font: str) -> str:
        font = font or self.font
        if font in EMBEDDED:
            register(font)
        elif font == UNMAPPED:
            register_unmapped()
        return font


@cache
def register(name: str) -> None:
    """Make an embedded font known to reportlab."""
    pdfmetrics.registerFont(TTFont(name, file_of(name)))


@cache
def register_unmapped() -> None:
    """An embedded font whose letters are numbered as they come."""
    pdfmetrics.registerFont(TTFont(UNMAPPED, "VeraBd.ttf", asciiReadable=False))


@cache
def file_of(name: str) -> Path:
    """The file of a font that the system or matplotlib has."""
    try:
        return Path(str(ImageFont.truetype(f"{name}.ttf").path))
    except OSError:
        return font_file(name)
