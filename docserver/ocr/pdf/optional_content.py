"""Child side: finds the annotations of a PDF page that are in a layer which is off (ISO 32000-1, 8.11), or have no
appearance in the file.

PDFium leaves out what the page itself has in such a layer, but draws its annotations, which other viewers do not show.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary

from docserver.ocr.errors import Unreadable
from docserver.ocr.pdf import passwords

MAX_EXPRESSION_DEPTH = 32
"""Most levels of expressions within expressions, as in PDFium. What is deeper counts as visible."""

_POLICIES: dict[str, Callable[[Iterable[bool]], bool]] = {
    "/AnyOn": any,
    "/AllOn": all,
    "/AnyOff": lambda states: not all(states),
    "/AllOff": lambda states: not any(states),
}
"""For each policy of a group of layers, whether the states of these layers make its content visible."""


def annotations_in_layers_off(source: str, *, page: int) -> list[int]:
    """The indexes of those annotations of page `page` (from 1). Empty if the file cannot be read."""
    try:
        with passwords.open_pdf(source) as pdf:
            layers = _Layers(_value(pdf.Root, "/OCProperties"))
            annotations = _items(_value(pdf.pages[page - 1].obj, "/Annots"))
            return [index for index, annotation in enumerate(annotations) if not layers.show(_value(annotation, "/OC"))]
    except (pikepdf.PdfError, Unreadable, IndexError):
        return []


def ticks_without_appearance(source: str, *, page: int) -> set[int]:
    """The indexes of those annotations of page `page` (from 1) that have no appearance in the file, and are not off if
    they are check boxes. Empty if the file cannot be read.
    """
    try:
        with passwords.open_pdf(source) as pdf:
            annotations = _items(_value(pdf.pages[page - 1].obj, "/Annots"))
            return {
                index
                for index, annotation in enumerate(annotations)
                if _value(annotation, "/AP") is None and _value(annotation, "/AS") != "/Off"
            }
    except (pikepdf.PdfError, Unreadable, IndexError):
        return set()


class _Layers:
    """The states that the layers have when a viewer opens the document."""

    def __init__(self, properties: Any) -> None:
        default = _value(properties, "/D")
        self._by_default = _value(default, "/BaseState") != "/OFF"
        self._states: dict[tuple[int, int], bool] = {}
        for states, is_on in (("/ON", True), ("/OFF", False)):
            self._states |= {layer.objgen: is_on for layer in _dictionaries(_value(default, states))}
        for usage in _dictionaries(_value(default, "/AS")):
            if _value(usage, "/Event") == "/View":
                for layer in _dictionaries(_value(usage, "/OCGs")):
                    state = _value(_value(_value(layer, "/Usage"), "/View"), "/ViewState")
                    if state is not None:
                        self._states[layer.objgen] = state != "/OFF"

    def show(self, content: Any) -> bool:
        """True if viewers show an annotation with this as its /OC: a layer, a group of layers, or None."""
        if _value(content, "/Type") != "/OCMD":
            return self._is_on(content)
        expression = _items(_value(content, "/VE"))
        if expression:
            return self._is_true(expression, depth=0)
        layers = _value(content, "/OCGs")
        states = [self._is_on(layer) for layer in _dictionaries(layers) or [layers] if layer is not None]
        return not states or _POLICIES.get(str(_value(content, "/P")), any)(states)

    def _is_on(self, layer: Any) -> bool:
        return not isinstance(layer, Dictionary) or self._states.get(layer.objgen, self._by_default)

    def _is_true(self, expression: Sequence[Any], *, depth: int) -> bool:
        if depth > MAX_EXPRESSION_DEPTH:
            return True
        operator, *operands = expression
        values = [
            self._is_true(parts, depth=depth + 1) if (parts := _items(operand)) else self._is_on(operand)
            for operand in operands
        ]
        if operator == "/Not":
            return not all(values)
        return any(values) if operator == "/Or" else all(values)


def _value(dictionary: Any, key: str) -> Any:
    """The value of a key; None if it has none, or if this is no dictionary."""
    return dictionary.get(key) if isinstance(dictionary, Dictionary) else None


def _items(array: Any) -> list[Any]:
    return list(array) if isinstance(array, Array) else []


def _dictionaries(array: Any) -> list[Dictionary]:
    return [item for item in _items(array) if isinstance(item, Dictionary)]
