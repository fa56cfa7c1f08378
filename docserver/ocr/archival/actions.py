"""Child side: removes the actions that PDF/A does not allow (ISO 19005-2, 6.5), such as scripts. Links stay."""

from typing import Any

from pikepdf import Array, Dictionary, Name, Object

ALLOWED = frozenset({"/GoTo", "/GoToR", "/GoToE", "/Thread", "/URI", "/Named", "/SubmitForm"})
NAMED = frozenset({"/NextPage", "/PrevPage", "/FirstPage", "/LastPage"})

MAX_ACTIONS = 20
"""Most actions that follow one another."""


def remove_actions(owner: Object, *, all_of_them: bool = False) -> None:
    """Remove from an annotation, a bookmark, a page or a document what happens by itself, and actions that are not
    allowed.
    """
    for key in (Name.AA, Name.PA):
        if key in owner:
            del owner[key]
    if Name.A in owner and (all_of_them or not is_allowed(owner.A)):
        del owner[Name.A]


def is_allowed(action: Any, *, depth: int = 0) -> bool:
    """True if an action and those that follow it are allowed."""
    if not isinstance(action, Dictionary) or depth > MAX_ACTIONS:
        return False
    kind = str(action.get(Name.S))
    if kind not in ALLOWED or (kind == "/Named" and str(action.get(Name.N)) not in NAMED):
        return False
    following = action.get(Name.Next, Array())
    return all(
        is_allowed(each, depth=depth + 1) for each in (following if isinstance(following, Array) else [following])
    )
