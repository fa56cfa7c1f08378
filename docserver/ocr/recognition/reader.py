"""Child side: reads a page: runs Tesseract on its picture, and on variants of it that may give a better text."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from PIL import ImageOps

from docserver.layout import Box, words_of
from docserver.ocr.image.analysis import PageAnalysis, analyse
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.overview import grey
from docserver.ocr.image.preparation import in_grey, is_small_copy, may_be_blurred, prepare
from docserver.ocr.image.shades import without_faint_ink
from docserver.ocr.image.shape import is_narrow, is_snippet
from docserver.ocr.image.spots import few_spots, is_compact
from docserver.ocr.image.transform import PageImage, scaled, turned
from docserver.ocr.languages import reads_all
from docserver.ocr.recognition.attempt import Attempt, better, nothing
from docserver.ocr.recognition.attempts import Attempts, cleaned_of_leaders, layout_of
from docserver.ocr.recognition.cut_words import with_cut_words_joined
from docserver.ocr.recognition.evidence import is_few_words, is_nonsense, shows_text
from docserver.ocr.recognition.language_detection import LanguageDetector, is_fraktur
from docserver.ocr.recognition.lone_signs import with_signs_as_drawn
from docserver.ocr.recognition.lone_words import LoneWords
from docserver.ocr.recognition.orientation import (
    MIN_CONFIDENCE_IF_UNCLEAR,
    UPRIGHT_TURN,
    directions,
    is_read_upright,
    is_worth_turning,
    runs_downwards,
    with_level_lines,
)
from docserver.ocr.recognition.page_variants import PageVariants
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.recognition.second_reading import is_unsure, read_again
from docserver.ocr.recognition.tables import cuts_numbers
from docserver.ocr.recognition.tesseract import Layout, Recognised, Tesseract
from docserver.ocr.recognition.tries import Tries
from docserver.ocr.recognition.unread import MAX_SHARE_IF_UPRIGHT, with_unread
from docserver.ocr.recognition.unread_accents import has_unread_accents
from docserver.ocr.recognition.unsure_words import with_unsure_words_read_again

REREAD_BETWEEN = 40.0, 92.0
"""A page that may be blurred is read again at twice the size if its confidence is between these. Below the first, it
stays illegible; from the second on, it cannot become much better."""

MIN_UPRIGHT_WEIGHT = 0.9
"""If lines run downwards, the page is turned and read again. The page was sideways if the second text has at least this
share of the first text's weight. For a sideways page, both weights are about the same, but the first text may have a
few letters more."""

MAX_SIDE_READ_AGAIN_PX = 3600
"""Longest side of a page that the second engine reads: that of A4 at 300 dpi. It makes letters smaller in any case."""

UNSURE_BELOW = 60.0
"""Confidence below which a text on a snippet is read again at twice the size, and a text may show through from the
other side of the sheet."""

MIRRORED_FROM, MIN_GAIN_IF_MIRRORED = 15.0, 15.0
"""A text may show through if it is read with at least this confidence, and does if its mirror image is read with this
much more. A text that shows through has 20 to 45, and its mirror image 30 to 50 more."""


class PageReader:
    """Reads one page. `read` and `read_in_detected_language` raise Unreadable."""

    def __init__(self, picture: Picture, tesseract: Tesseract, *, turning: bool, has_second: bool = False) -> None:
        """Without `turning`, the page is assumed to be upright, and is only straightened. With `has_second`, the second
        engine reads again what Tesseract is not sure of, so Tesseract does not.
        """
        self._has_second = has_second
        self._page, self._analysis, self._is_bare = prepare(picture)
        self._original = PageImage.of(picture)
        self._tries = Tries(tesseract, original=picture.image, page=self._page.image)
        self._pages = PageVariants(self._page, self._analysis, self._tries)
        self._attempts = Attempts(self._tries, self._page)
        self._turning = turning
        self._known_direction = None if turning else 0
        self._backs: dict[str, bool] = {}
        """Model or models → if they show that the page is the back of another one."""
        self._order: tuple[int, ...] = ()
        """The turns to try for the page, in degrees clockwise, the likeliest first."""
        self._lone: dict[str, LoneWords] = {}
        """Model or models → what they read of the spots of an otherwise empty page."""

    def read(self, languages: str) -> Attempt:
        """Read the page with these models.

        With `turning`, the possible directions of the page are tried until one is read well enough.
        """
        if self._analysis is None:
            attempt = self._attempts.recognise(self._page, languages=languages, layout=Layout.PAGE)
            if self._shows_through(attempt):
                attempt = nothing(languages)
        else:
            attempt = self._best_attempt(self._analysis, languages)
        if is_nonsense(attempt.recognised):
            attempt = nothing(languages)
        # Without letters, nothing shows how the page lies: a column of dots looks like a line on its side.
        has_direction = self._turning and any(map(str.isalnum, attempt.recognised.text))
        attempt = self._with_lone_words(attempt if has_direction else replace(attempt, rotation=0))
        is_blank = self._is_bare and not attempt.recognised.text and not attempt.left_out
        return self._with_accents(replace(attempt, is_blank=is_blank))

    def read_in_detected_language(self, detector: LanguageDetector) -> Attempt:
        """Read the page with the model for its language.

        The language is detected from a few lines. If the whole text is in another language, or may be in Fraktur, the
        page is read again.
        """
        if self._analysis is None or self._is_back(self._analysis, detector.preferred):
            model = detector.preferred
        else:
            model = detector.from_samples(self._language_samples(self._analysis), self._tries)
        attempt = self.read(model)
        text = attempt.recognised.text
        model_for_text = detector.from_text(text, model) if text else model
        if model_for_text != model:
            # The second model reads the page in the same direction.
            self._known_direction = attempt.rotation
            attempt = better(attempt, self.read(model_for_text))
        return self._in_fraktur(attempt, detector) or attempt

    def read_again(self, attempt: Attempt, engine: Ppocr, *, all_lines: bool = False) -> Attempt:
        """The attempt with what the second engine reads better, or alone; with `all_lines`, with nothing else."""
        # If curved lines were made straight, nothing maps the boxes of Tesseract's words to the straightened picture.
        if self._analysis is None or self._pages.has_warped(attempt.rotation):
            return attempt
        # The second engine misreads broken letters more often than Tesseract does once their edges are soft.
        if is_small_copy(self._page, self._analysis) and not (all_lines or attempt.unread_share):
            return attempt
        page = turned(self._original, attempt.rotation)
        if max(page.image.size) > MAX_SIDE_READ_AGAIN_PX:
            page = scaled(page, MAX_SIDE_READ_AGAIN_PX / max(page.image.size))
        level = with_level_lines(page, self._analysis)
        if level.warp:
            return attempt
        return with_unread(read_again(attempt, level, engine, all_lines=all_lines), self._page)

    def with_unsure_words_read_again(self, attempt: Attempt, engine: Ppocr) -> Attempt:
        """The attempt with the unsure words that the second engine reads better."""
        if self._analysis is None:
            return attempt
        return with_unsure_words_read_again(attempt, self._pages.level(attempt.rotation), engine)

    def _in_fraktur(self, attempt: Attempt, detector: LanguageDetector) -> Attempt | None:
        """The page as the model for Fraktur reads it; None if it is not in Fraktur. Samples may not show that."""
        latin = attempt.recognised
        model = detector.fraktur_instead_of(attempt.languages, confidence=latin.confidence)
        if model is None:
            return None
        self._known_direction = attempt.rotation
        fraktur = self.read(model)
        is_better = is_fraktur(fraktur.recognised.text, weight=fraktur.weight, latin_weight=latin.weight)
        return fraktur if is_better else None

    def _with_lone_words(self, attempt: Attempt) -> Attempt:
        """The attempt with the letters and short words that stand alone on an otherwise empty page."""
        if attempt.rotation or not self._spots:
            return attempt
        recognised, is_all = self._lone_words(attempt.languages).added_to(attempt.recognised)
        return replace(attempt, recognised=recognised, left_out=attempt.left_out or not is_all)

    def _with_accents(self, attempt: Attempt) -> Attempt:
        """The attempt, with something left out if the page has only a few words, and an accent above them is not read.
        Among more words, another one shows that the model lacks letters.
        """
        if attempt.rotation or not is_few_words(attempt.recognised):
            return attempt
        is_unread = has_unread_accents(words_of(attempt.recognised.blocks), self._original.image)
        return replace(attempt, left_out=True) if is_unread else attempt

    def _lone_words(self, languages: str) -> LoneWords:
        def recognise(part: PageImage) -> Recognised:
            return self._attempts.recognise(part, languages=languages, layout=Layout.LETTER).recognised

        if languages not in self._lone:
            self._lone[languages] = LoneWords(self._page, self._spots, recognise=recognise)
        return self._lone[languages]

    @cached_property
    def _spots(self) -> list[Box]:
        """The spots of ink, if the page is empty but for a few."""
        if self._analysis is None:
            return []
        return few_spots(self._page.overview)

    def _directions(self, analysis: PageAnalysis) -> tuple[int, ...]:
        if self._known_direction is not None:
            return (self._known_direction,)
        if self._spots:
            # A few letters do not show the direction of lines: a lone `l` looks like a line on its side.
            return (0, *(degrees for degrees in directions(self._page, analysis) if degrees))
        if not self._order:
            likeliest, opposite, *others = directions(self._page, analysis)
            # To read a page upside down first would take as long as to read it.
            is_upside_down = self._pages.way_up(likeliest) < 0
            self._order = (opposite, likeliest, *others) if is_upside_down else (likeliest, opposite, *others)
        return self._order

    def _language_samples(self, analysis: PageAnalysis) -> Iterator[PageImage]:
        """A few lines of the page, for each of its possible directions."""
        return (
            self._pages.sample(degrees)
            for degrees in self._directions(analysis)
            if not self._shows_nothing(degrees + 180)
        )

    def _variants(self, analysis: PageAnalysis) -> list[tuple[int, str]]:
        """The directions and colour modes in which to try the page, the likeliest first."""
        mode = self._page.image.mode
        likeliest, *others = self._directions(analysis)
        # Try it in grey too, because Tesseract may miss letters in colour pictures.
        modes = [mode, "L"] if mode == "RGB" else [mode]
        return [*((likeliest, mode) for mode in modes), *((degrees, "L") for degrees in others)]

    def _best_attempt(self, analysis: PageAnalysis, languages: str) -> Attempt:
        (likeliest, _), *others = self._variants(analysis)
        if self._is_back(analysis, languages):
            return self._without_faint_ink(likeliest, analysis, languages)
        best = self._attempt(self._pages.level(likeliest), analysis=analysis, languages=languages)
        best = with_unread(best, self._page)
        seems_on_side = best.unread_share >= MAX_SHARE_IF_UPRIGHT
        for degrees, mode in others:
            is_sure = best.recognised.confidence >= MIN_CONFIDENCE_IF_UNCLEAR or not seems_on_side
            is_whole = best.unread_share < MAX_SHARE_IF_UPRIGHT and is_sure
            is_upright = is_whole and is_read_upright(best.recognised, page=self._page, analysis=analysis)
            if is_upright or self._shows_only_letters(best) or not self._tries.may_go_on():
                break
            with_lone = self._with_lone_words(best)
            if self._spots and is_few_words(with_lone.recognised) and not with_lone.left_out:
                break
            is_text = degrees == likeliest and shows_text(best.recognised)
            if not (is_text or self._shows_text(degrees, languages)):
                continue
            if self._is_mirrored(best, in_sample=self._sampled(degrees, languages)):
                break
            page = self._pages.level(degrees)
            page = in_grey(page) if mode == "L" else page
            another = with_unread(self._attempt(page, analysis=analysis, languages=languages), self._page)
            if another.rotation in {0, best.rotation} or is_worth_turning(another.recognised):
                best = best if better(with_lone, another) is with_lone else another
        best = self._in_other_layouts(self._with_turned_rest(best), analysis)
        best = self._with_missed_words(best)
        best = with_cut_words_joined(with_signs_as_drawn(best, turned(self._original, best.rotation)))
        # Only now: the mirror image of a page that is upside down may be read with more confidence than the page.
        if is_nonsense(best.recognised) or not self._shows_through(best):
            return best
        return self._without_faint_ink(best.rotation, analysis, languages)

    def _in_other_layouts(self, best: Attempt, analysis: PageAnalysis) -> Attempt:
        if not best.unread_share:
            return best
        page = self._pages.enlarged(self._pages.level(best.rotation))
        return self._attempts.in_other_layouts(best, page, layout=layout_of(page, analysis))

    def _with_turned_rest(self, best: Attempt) -> Attempt:
        if not self._turning or not self._tries.may_go_on():
            return best
        return self._attempts.with_turned_rest(best, self._pages.enlarged(self._pages.level(best.rotation)))

    def _with_missed_words(self, best: Attempt) -> Attempt:
        """The attempt with words that Tesseract missed or misread, unless the second engine may read it better."""
        is_for_second = self._has_second and is_unsure(best)
        if is_few_words(best.recognised) or is_for_second or runs_downwards(best.recognised):
            return best
        numbers = not (self._has_second and reads_all(best.languages))
        return self._attempts.with_missed_words(best, self._pages.level(best.rotation), numbers=numbers)

    def _is_back(self, analysis: PageAnalysis, languages: str) -> bool:
        """True if the page has faint letters, and a few lines of it already show that these show through."""
        if languages not in self._backs:
            few_lines = self._sampled(self._directions(analysis)[0], languages) if analysis.faint else None
            shows_through = few_lines and self._shows_through(few_lines, from_confidence=UNSURE_BELOW)
            self._backs[languages] = bool(shows_through)
        return self._backs[languages]

    def _shows_only_letters(self, attempt: Attempt) -> bool:
        """True if nothing was read, and nothing but a few spots is there, each of which may be a single letter."""
        return not attempt.recognised.text and bool(self._spots) and all(map(is_compact, self._spots))

    def _without_faint_ink(self, degrees: int, analysis: PageAnalysis, languages: str) -> Attempt:
        """The page in this direction, read without the text that shows through. Nothing if all of its ink is faint."""
        page = self._pages.level(degrees)
        page = replace(page, image=without_faint_ink(grey(page.image)))
        remaining = analyse(page.image)
        if remaining is None or remaining.faint:
            return nothing(languages)
        again = self._attempt_at_size(self._pages.enlarged(page), analysis=analysis, languages=languages)
        is_sure = again.recognised.confidence >= UNSURE_BELOW
        return replace(again, left_out=True) if is_sure else nothing(languages)

    def _shows_text(self, degrees: int, languages: str) -> bool:
        """True if a few lines of the page show text, and so much of it that the page may lie in this direction. A page
        without text is not read in full in each direction.
        """
        if self._shows_nothing(degrees + 180):
            return False
        sample = self._sampled(degrees, languages).recognised
        return shows_text(sample) and (degrees == 0 or is_worth_turning(sample))

    def _shows_nothing(self, degrees: int) -> bool:
        """True if not even nonsense was read in a few lines of the page in this direction. Nor is it upside down."""
        sample = self._pages.made_sample(degrees)
        return sample is not None and not is_snippet(sample.original_size) and self._tries.found_nothing(sample)

    def _sampled(self, degrees: int, languages: str) -> Attempt:
        """A few lines of the page in this direction."""
        sample = self._pages.sample(degrees)
        return Attempt(self._tries.read_sample(sample, languages=languages), degrees, languages)

    def _is_mirrored(self, attempt: Attempt, *, in_sample: Attempt) -> bool:
        """True if neither the attempt nor a few lines in another direction are sure, but the mirror image is."""
        is_sure = in_sample.recognised.confidence >= UNSURE_BELOW
        return not is_sure and self._shows_through(attempt, from_confidence=UNSURE_BELOW)

    def _shows_through(self, attempt: Attempt, *, from_confidence: float = 0.0) -> bool:
        """True if the text is a mirror image: that of the text on the other side of the sheet. The mirror image must be
        read with at least this confidence, as no text is that is upside down.
        """
        may_be_mirrored = MIRRORED_FROM <= attempt.recognised.confidence < UNSURE_BELOW
        if not may_be_mirrored or not self._tries.may_go_on():
            return False
        least = max(from_confidence, attempt.recognised.confidence + MIN_GAIN_IF_MIRRORED)
        for mirror in (ImageOps.mirror, ImageOps.flip):
            sample = self._pages.mirrored_sample(attempt.rotation, mirror)
            recognised = self._tries.read_sample(sample, languages=attempt.languages, is_faint=self._analysis is None)
            if shows_text(recognised) and recognised.confidence > least:
                return True
        return False

    def _attempt(self, page: PageImage, *, analysis: PageAnalysis, languages: str) -> Attempt:
        """Read a level page, enlarged if it is small. If neither a few of its lines nor the original picture show text,
        it is not read: prepared patterns often look more like letters, and take Tesseract several times as long.
        """
        is_plain = analysis.is_upright and not analysis.is_form and not analysis.faint
        may_be_dear = self._pages.is_changed and not is_plain and not is_snippet(page.original_size)
        may_be_dear = may_be_dear and self._pages.way_up(page.rotation) <= 0
        if not may_be_dear or self._shows_text(page.rotation, languages):
            return self._attempt_at_size(self._pages.enlarged(page), analysis=analysis, languages=languages)
        original = turned(self._original, page.rotation)
        attempt = replace(
            self._attempts.recognise(original, languages=languages, layout=Layout.PAGE), rotation=page.rotation
        )
        if not shows_text(attempt.recognised):
            return attempt
        prepared = self._attempt_at_size(self._pages.enlarged(page), analysis=analysis, languages=languages)
        return prepared if prepared.recognised.text else attempt

    def _attempt_at_size(self, page: PageImage, *, analysis: PageAnalysis, languages: str) -> Attempt:
        attempt = self._attempt_as_it_lies(page, analysis=analysis, languages=languages)
        if not self._turning or attempt.rotation == page.rotation:
            return attempt
        if not shows_text(attempt.recognised):
            # Patterns seem to have lines in any direction.
            return replace(attempt, rotation=page.rotation)
        # Tesseract also reads lines that run downwards, but worse. On a receipt, for example, it separates names from
        # prices. So turn the page and read it again.
        upright = turned(page, UPRIGHT_TURN)
        again = self._attempts.recognise(upright, languages=languages, layout=layout_of(upright, analysis))
        if again.weight >= MIN_UPRIGHT_WEIGHT * attempt.weight:
            return again
        # The page is upright and its lines do run downwards, as Chinese may be written.
        return replace(attempt, rotation=page.rotation)

    def _attempt_as_it_lies(self, page: PageImage, *, analysis: PageAnalysis, languages: str) -> Attempt:
        layout = layout_of(page, analysis)
        cleaned = cleaned_of_leaders(page, analysis) if layout is not Layout.BLOCK else None
        if cleaned is not None:
            # Read it as one block, because without its leaders Tesseract would take the page numbers for a column.
            page, layout = cleaned, Layout.BLOCK
        attempt = self._attempts.recognise(page, languages=languages, layout=layout)
        # The second engine reads no page whose curved lines were made straight.
        has_second = self._has_second and page.warp is None and is_unsure(attempt)
        if layout is Layout.BLOCK and cleaned is None and is_narrow(page.image.size) and not has_second:
            attempt = self._attempts.in_second_layout(attempt, page)
        if layout is Layout.PAGE and cuts_numbers(attempt.recognised) and self._tries.may_go_on():
            attempt = self._attempts.as_one_block(attempt, page)
        unread = not attempt.recognised.text and layout is Layout.PAGE and self._tries.may_go_on()
        if unread and self._shows_text(page.rotation, languages):
            # Tesseract treated the whole page as one picture, perhaps because of a dark edge around it.
            attempt = self._attempts.recognise(page, languages=languages, layout=Layout.COLUMN)
        low, high = REREAD_BETWEEN
        unsure_snippet = is_snippet(page.original_size) and attempt.recognised.confidence < UNSURE_BELOW
        may_be_better = low <= attempt.recognised.confidence < high and not has_second
        if unsure_snippet or (may_be_better and may_be_blurred(page, analysis)):
            enlarged = self._attempts.recognise(scaled(page, 2.0), languages=languages, layout=layout)
            attempt = better(attempt, enlarged)
        return attempt
