"""Child side: checks what a page draws: its operators, and every colour, image, font and form that they use."""

import re
from functools import partial
from typing import Any

import pikepdf
from pikepdf import Array, ContentStreamInlineImage, Dictionary, Name, Object, Stream, String

from docserver.ocr.archival.colours import DEFAULTS, ColourChecks
from docserver.ocr.archival.composite_fonts import CompositeFont
from docserver.ocr.archival.drawn_fonts import DrawnFont
from docserver.ocr.archival.fonts import Font, SimpleFont
from docserver.ocr.archival.graphics_states import check_graphics_state
from docserver.ocr.archival.images import check_image, check_inline_image, check_intent
from docserver.ocr.archival.objects import MAX_STRING
from docserver.ocr.archival.unfit import Unfit

_STATE = "q Q cm w J j M d i Tf Tr Tc Tw Tz TL Ts"
_PATHS = "m l c v y h re S s f F f* B B* b b* n W W*"
_TEXT = "BT ET Td TD Tm T* d0 d1"
_OTHER = "G g RG rg MP DP BMC BDC EMC"
PLAIN = frozenset(f"{_STATE} {_PATHS} {_TEXT} {_OTHER}".split())
"""Operators that use no resource but a font, and no colour that needs a check."""

SHOW = frozenset({"Tj", "TJ", "'", '"'})
INVISIBLE = 3
MAX_SAVED_STATES = 28
"""ISO 19005-2, 6.1.13."""

MAX_DEPTH = 20
"""Most levels of forms within forms, so that a malicious document does not use up the stack."""

MAX_CONTENT_BYTES = 10_000_000
"""Most bytes of operators that are checked, which takes some ten seconds. A page of text has some ten thousand."""

_TOO_LARGE = re.compile(rb"(?<![.\d])\d{10,}")
_BAD_HEXADECIMAL = re.compile(rb"(?<!<)<(?!<)(?!(?:\s*[0-9A-Fa-f]\s*[0-9A-Fa-f])*\s*>)")
"""What content must not have, and the parser does not report."""

_OPAQUE = re.compile(rb"\((?:[^()\\]|\\.)*\)|\bID[ \r\n].*?[ \r\n]EI\b", re.DOTALL)
"""Texts and inline images, in which the same bytes mean something else."""


class _TextState:
    """What decides how text is shown: the font, and whether it is visible."""

    def __init__(self) -> None:
        self.font: Any = None
        """The dictionary of the font."""
        self.is_visible = True
        self._saved: list[tuple[Any, bool]] = []

    def apply(self, operator: str, operands: list[Any]) -> None:
        """Follow an operator. Raises Unfit."""
        if operator == "q":
            self._saved.append((self.font, self.is_visible))
            if len(self._saved) > MAX_SAVED_STATES:
                raise Unfit("too many graphics states are saved")
        elif operator == "Q" and self._saved:
            self.font, self.is_visible = self._saved.pop()
        elif operator == "Tr":
            self.is_visible = operands[0] != INVISIBLE


class ContentChecks:
    """The checks of one document. They remember what was in order, and what was not."""

    def __init__(self) -> None:
        self._colours = ColourChecks()
        self._fonts: dict[tuple[int, int], Font] = {}
        self._forms: dict[tuple[int, int], str | None] = {}
        """Why forms, patterns and glyphs cannot stay; None for those that can."""

    def check_page(self, page: Object) -> None:
        """Check the content of a page that has its own resources. Raises Unfit."""
        if isinstance(page.get(Name.Group), Dictionary) and Name.CS in page.Group:
            self._colours.check(page.Group.CS, page.get(Name.Resources))
        contents = page.get(Name.Contents)
        for part in contents if isinstance(contents, Array) else [contents]:
            if isinstance(part, Stream):
                _check_bytes(part)
        self._run(page, page.get(Name.Resources), depth=0)

    def check_form(self, form: Stream, depth: int = 0) -> None:
        """Check a form, the cell of a pattern or a glyph, with its own resources. Raises Unfit."""
        if form.objgen not in self._forms:
            # A form that draws itself is checked once.
            self._forms[form.objgen] = None
            try:
                self._check_form(form, depth)
            except Unfit as unfit:
                self._forms[form.objgen] = str(unfit)
        if reason := self._forms[form.objgen]:
            raise Unfit(reason)

    def _check_form(self, form: Stream, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Unfit("forms lie too deep")
        if {"/Ref", "/PS"} & set(form.keys()) or form.get(Name.Subtype2) == Name.PS:
            raise Unfit("a form refers to another file")
        if isinstance(form.get(Name.Group), Dictionary) and Name.CS in form.Group:
            self._colours.check(form.Group.CS, form.get(Name.Resources))
        _check_bytes(form)
        self._run(form, form.get(Name.Resources), depth=depth)

    def _run(self, stream: Object, resources: Object | None, *, depth: int) -> None:
        """Go through the operators of a stream."""
        resources = resources if isinstance(resources, Dictionary) else Dictionary()
        spaces = resources.get(Name.ColorSpace)
        for default in DEFAULTS:
            if isinstance(spaces, Dictionary) and default in spaces:
                self._colours.check(spaces[default], None)
        try:
            instructions = pikepdf.parse_content_stream(stream)
        except (pikepdf.PdfError, TypeError, ValueError) as error:
            raise Unfit("content cannot be parsed") from error
        text = _TextState()
        for instruction in instructions:
            if isinstance(instruction, ContentStreamInlineImage):
                check_inline_image(instruction, resources, self._colours)
                continue
            operator, operands = str(instruction.operator), list(instruction.operands)
            try:
                if operator == "Tf":
                    text.font = _named(resources, Name.Font, operands[0])
                elif operator in SHOW:
                    self._check_text(operands[-1], text, depth)
                elif operator in PLAIN:
                    text.apply(operator, operands)
                else:
                    self._check_operator(operator, operands, resources, depth)
            except IndexError as error:
                raise Unfit("an operator lacks an operand") from error

    def _check_operator(self, operator: str, operands: Any, resources: Object, depth: int) -> None:
        """Check an operator that uses a resource or a colour."""
        if operator == "Do":
            self._check_object(_named(resources, Name.XObject, operands[0]), resources, depth)
        elif operator == "gs":
            self._check_state(_named(resources, Name.ExtGState, operands[0]), depth)
        elif operator in ("CS", "cs"):
            self._colours.check(operands[0], resources)
        elif operator in ("SC", "sc", "SCN", "scn"):
            if len(operands) and isinstance(operands[-1], Name):
                self._check_pattern(_named(resources, Name.Pattern, operands[-1]), resources, depth)
        elif operator == "sh":
            self._check_shading(_named(resources, Name.Shading, operands[0]), resources)
        elif operator in ("K", "k"):
            self._colours.check(Name.DeviceCMYK, resources)
        elif operator == "ri":
            check_intent(operands[0])
        else:
            raise Unfit("an operator is not known")

    def _check_object(self, drawn: Any, resources: Object, depth: int) -> None:
        subtype = drawn.get(Name.Subtype) if isinstance(drawn, Stream) else None
        if subtype == Name.Image:
            check_image(drawn, resources, self._colours)
        elif subtype == Name.Form:
            self.check_form(drawn, depth + 1)
        else:
            raise Unfit("an object cannot be drawn")

    def _check_state(self, state: Any, depth: int) -> None:
        check_graphics_state(state)
        mask = state.get(Name.SMask)
        if isinstance(mask, Dictionary):
            group = mask.get(Name.G)
            if not isinstance(group, Stream):
                raise Unfit("a mask is invalid")
            self.check_form(group, depth + 1)

    def _check_pattern(self, pattern: Any, resources: Object, depth: int) -> None:
        if isinstance(pattern, Stream):
            self.check_form(pattern, depth + 1)
        elif isinstance(pattern, Dictionary) and Name.Shading in pattern:
            if Name.ExtGState in pattern:
                self._check_state(pattern.ExtGState, depth)
            self._check_shading(pattern.Shading, resources)
        else:
            raise Unfit("a pattern is invalid")

    def _check_shading(self, shading: Any, resources: Object) -> None:
        if not isinstance(shading, Dictionary | Stream):
            raise Unfit("a shading is invalid")
        self._colours.check(shading.get(Name.ColorSpace), resources)

    def _check_text(self, shown: Any, state: _TextState, depth: int) -> None:
        # A font that shows nothing need not be there.
        font = self._font(state.font, depth)
        for part in shown if isinstance(shown, Array) else [shown]:
            if isinstance(part, String):
                text = bytes(part)
                if len(text) > MAX_STRING:
                    raise Unfit("a string is too long")
                font.check(text, visible=state.is_visible)

    def _font(self, font: Any, depth: int) -> Font:
        if not isinstance(font, Dictionary) or font.get(Name.Type) != Name.Font:
            raise Unfit("a font is invalid")
        known = self._fonts.get(font.objgen) if font.is_indirect else None
        if known is None:
            subtype = font.get(Name.Subtype)
            if subtype == Name.Type0:
                known = CompositeFont(font)
            elif subtype == Name.Type3:
                known = DrawnFont(font, partial(self.check_form, depth=depth + 1))
            elif subtype in (Name.Type1, Name.MMType1, Name.TrueType):
                known = SimpleFont(font)
            else:
                raise Unfit("a font is of no kind that is known")
            if font.is_indirect:
                self._fonts[font.objgen] = known
        return known


def _named(resources: Object, kind: Name, name: Any) -> Any:
    found = resources.get(kind)
    if not isinstance(found, Dictionary) or not isinstance(name, Name) or str(name) not in found:
        raise Unfit("a resource is missing")
    return found[str(name)]


def _check_bytes(stream: Stream) -> None:
    try:
        data = stream.read_bytes()
    except pikepdf.PdfError as error:
        raise Unfit("content cannot be read") from error
    if len(data) > MAX_CONTENT_BYTES:
        raise Unfit("there is too much content to check")
    operators = _OPAQUE.sub(b" ", data)
    if _TOO_LARGE.search(operators):
        raise Unfit("a number is too large")
    if _BAD_HEXADECIMAL.search(operators):
        raise Unfit("a string in hexadecimal is invalid")
