"""Tells apart the environment variables with our prefix: settings, misspelt settings, and what Kubernetes adds.

It knows names only, not what the settings mean.
"""

import re
from collections.abc import Collection

PREFIX = "DOCSERVER_"

OTEL_PREFIX = "OTEL_"
"""What the names of OpenTelemetry's variables begin with."""

_SERVICE_LINK = re.compile(
    rf"{PREFIX}([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
_SERVICE_PORT = re.compile(rf"{PREFIX}([A-Z0-9_]+_)?PORT")
_SERVICE_URL = re.compile(r"\s*(tcp|udp|sctp)://", re.IGNORECASE)

MOST_MISTAKES = ((12, 3), (6, 2), (0, 1))
"""Least length of a setting's name, and most mistakes in a misspelling of it. In a short name, two mistakes make
another word: HOME is no misspelling of HOST."""


def is_service_link(name: str, value: str | None) -> bool:
    """True if Kubernetes adds such a variable to every pod for a Service whose name is or begins with docserver.

    See https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
    """
    if _SERVICE_LINK.fullmatch(name):
        return True
    return bool(_SERVICE_PORT.fullmatch(name) and _SERVICE_URL.match(value or ""))


def has_prefix(name: str) -> bool:
    """True if the name begins with our prefix, in capitals or not."""
    return name.upper().startswith(PREFIX)


def meant_by(name: str, known: Collection[str]) -> str | None:
    """The known name that this unknown one most likely stands for; None if it resembles none.

    Capitals and underscores do not count, nor does the order of the words.
    """
    wrong = _words(name)
    nearest, mistakes = None, len(name)
    for candidate in known:
        right = _words(candidate)
        # Each letter more or less is a mistake.
        if abs(len("".join(right)) - len("".join(wrong))) > _most_mistakes("".join(right)):
            continue
        distance = 0 if sorted(wrong) == sorted(right) else mistakes_between("".join(wrong), "".join(right))
        if distance < mistakes and distance <= _most_mistakes("".join(right)):
            nearest, mistakes = candidate, distance
    return nearest


def mistakes_between(wrong: str, right: str) -> int:
    """The number of letters to add, drop, replace, or swap with the next one, to turn one text into the other.

    This is the optimal string alignment distance.
    """
    before, row = [0] * (len(right) + 1), list(range(len(right) + 1))
    for i, letter in enumerate(wrong, 1):
        two_before, before, row = before, row, [i]
        for j, wanted in enumerate(right, 1):
            distance = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == right[j - 2] and wrong[i - 2] == wanted:
                distance = min(distance, two_before[j - 2] + 1)
            row.append(distance)
    return row[-1]


def _words(name: str) -> list[str]:
    return name.upper().removeprefix(PREFIX).split("_")


def _most_mistakes(name: str) -> int:
    return next(mistakes for length, mistakes in MOST_MISTAKES if len(name) >= length)
