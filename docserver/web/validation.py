"""Checks the parameters of requests by their schemas, and names each wrong one by its place."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate
from multidict import MultiMapping
from yarl import URL

from docserver.errors import Unprocessable

MAX_ERRORS = 20
"""Most wrong fields that are named, more than any request has; the names of all would make a long answer."""


class Strict(Schema):
    """A schema that refuses unknown fields. The values of enumerations are taken in any case."""

    class Meta:
        unknown = RAISE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages["unknown"] = (
            f"Unknown; known are {', '.join(sorted(self.fields))}." if self.fields else "Unknown; none is known."
        )
        for field in self.fields.values():
            _say_what_is_right(field)

    @pre_load
    def _normalise(self, data: Mapping[str, Any], **_: Any) -> Mapping[str, Any]:
        return {
            key: _normal(value, self.fields.get(key)) if isinstance(value, str) else value
            for key, value in data.items()
        }


def _say_what_is_right(field: fields.Field[Any]) -> None:
    """Replace marshmallow's messages for a value that is missing or of the wrong type: they only say that it is."""
    field.error_messages["required"] = "Must be given."
    if field.error_messages.get("invalid") != type(field).default_error_messages.get("invalid"):
        return
    if isinstance(field, fields.Boolean):
        field.error_messages["invalid"] = "Must be true or false."
    elif isinstance(field, fields.Integer):
        ranges = [one for one in field.validators if isinstance(one, validate.Range) and one.max is not None]
        bounds = "".join(f" from {one.min} to {one.max}" for one in ranges)
        field.error_messages["invalid"] = f"Must be a whole number{bounds}."


def _normal(text: str, field: fields.Field[Any] | None) -> str:
    # All names are in small letters; media types have no case (RFC 9110, 8.3.1).
    if _enumerated(field):
        return text.lower()
    # Python takes the digits of all scripts for numbers, and 1_000. No field takes an empty text for a number.
    if isinstance(field, fields.Integer | fields.Float) and not (text.isascii() and "_" not in text):
        return ""
    return text


def _enumerated(field: fields.Field[Any] | None) -> bool:
    return isinstance(field, fields.Enum) or (
        field is not None and any(isinstance(validator, validate.OneOf) for validator in field.validators)
    )


@dataclass(frozen=True, slots=True)
class Places:
    """Where a request has its fields: those of `query` in the query, all others in `elsewhere`, which is the key under
    which errors name them.
    """

    elsewhere: Literal["parameter", "pointer", "header"]
    query: frozenset[str] = frozenset()

    def of(self, name: str) -> dict[str, str]:
        """The place of a field, as a member of an error."""
        key = "parameter" if name.partition("/")[0] in self.query else self.elsewhere
        return {key: f"/{name}" if key == "pointer" else name}


IN_QUERY, IN_BODY, IN_HEADER = Places("parameter"), Places("pointer"), Places("header")


Check = Callable[[dict[str, Any]], object]
"""Checks converted values by what no schema knows, such as settings; raises Unprocessable, which names the fields."""


def load(
    schema: Schema, given: MultiMapping[str], *, places: Places = IN_QUERY, checks: Iterable[Check] = ()
) -> dict[str, Any]:
    """Check and convert the given values. Raises Unprocessable, which names each wrong field by its place. The checks
    get those values that the schema takes, also if it does not take others.
    """
    repeated = [key for key in set(given) if len(given.getall(key)) > 1]
    if repeated:
        raise _unprocessable({key: ["Given more than once."] for key in repeated}, places)
    faults: list[Unprocessable] = []
    try:
        loaded: dict[str, Any] = schema.load(dict(given))
    except ValidationError as error:
        loaded = dict(error.valid_data or {})
        faults.append(_unprocessable(error.messages_dict, places))
    for check in checks:
        try:
            check(loaded)
        except Unprocessable as fault:
            faults.append(fault)
    if faults:
        raise _together(faults)
    return loaded


@lru_cache(maxsize=64)
def load_query(schema: Schema, raw_query: str) -> Mapping[str, Any]:
    """As `load`, of the encoded query of a URL. Clients read many jobs with a few queries, so these are remembered; not
    more, because a query of 8 kB can name thousands of page ranges.
    """
    return load(schema, URL.build(query_string=raw_query, encoded=True).query)


def _together(faults: Sequence[Unprocessable]) -> Unprocessable:
    """One error for all faults."""
    if len(faults) == 1:
        return faults[0]
    errors = [error for fault in faults for error in fault.errors]
    return Unprocessable(" ".join(fault.detail for fault in faults), errors=errors[:MAX_ERRORS])


def _unprocessable(messages: Mapping[str, Any], places: Places) -> Unprocessable:
    wrong = [(name, " ".join(details)) for name, details in sorted(_flat(messages))[:MAX_ERRORS]]
    detail = "; ".join(f"{name}: {details.removesuffix('.')}" for name, details in wrong)
    return Unprocessable(f"{detail}.", errors=[{"detail": details, **places.of(name)} for name, details in wrong])


def _flat(messages: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The messages of each field; those of an item of a list under the list's name and its place, as in `scopes/0`."""
    for name, details in messages.items():
        if isinstance(details, Mapping):
            yield from ((f"{name}/{place}", its) for place, its in _flat(details))
        else:
            yield str(name), details
