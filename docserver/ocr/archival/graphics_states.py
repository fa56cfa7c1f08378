"""Child side: checks dictionaries of graphics states (ISO 19005-2, 6.2.5 and 6.2.10)."""

from typing import Any

from pikepdf import Array, Dictionary, Name

from docserver.ocr.archival.images import check_intent
from docserver.ocr.archival.unfit import Unfit

BLEND_MODES = frozenset(
    [
        "/Normal",
        "/Compatible",
        "/Multiply",
        "/Screen",
        "/Overlay",
        "/Darken",
        "/Lighten",
        "/ColorDodge",
        "/ColorBurn",
        "/HardLight",
        "/SoftLight",
        "/Difference",
        "/Exclusion",
        "/Hue",
        "/Saturation",
        "/Color",
        "/Luminosity",
    ]
)

FOR_PRINTERS = (Name.HT, Name.HTP)
"""How printers draw shades of grey. No viewer shows it, so it is removed."""


def check_graphics_state(state: Any) -> None:
    """Raise Unfit unless the state is allowed."""
    if not isinstance(state, Dictionary):
        raise Unfit("a graphics state is invalid")
    for key in FOR_PRINTERS:
        if key in state:
            del state[key]
    if state.get(Name.TR) == Name.Identity:
        del state[Name.TR]
    if Name.TR in state or state.get(Name.TR2, Name.Default) != Name.Default:
        raise Unfit("colours are changed by a function")
    if Name.Font in state:
        raise Unfit("a graphics state has a font")
    modes = state.get(Name.BM)
    if not {str(mode) for mode in (modes if isinstance(modes, Array) else [modes]) if mode is not None} <= BLEND_MODES:
        raise Unfit("a blend mode is not known")
    if state.get(Name.OPM) and (state.get(Name.OP) or state.get(Name.op)):
        raise Unfit("colours are overprinted")
    check_intent(state.get(Name.RI))
