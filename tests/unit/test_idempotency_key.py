"""The form of the Idempotency-Key header."""

import pytest

from docserver.errors import BadRequest
from docserver.web.idempotency_key import parse


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        ("8e03978e-40d5", "8e03978e-40d5"),
        ('"a \\"b\\" \\\\"', 'a "b" \\'),
        (' "a b" ', "a b"),
        ("k" * 255, "k" * 255),
    ],
)
def test_a_key_is_the_same_with_and_without_quotation_marks(header: str, key: str) -> None:
    assert parse([header]) == key


@pytest.mark.parametrize(
    "headers",
    [
        [""],
        ['""'],
        ['"open'],
        ['a"b'],
        ["a b"],
        ["ä"],
        ['"ä"'],
        ['"a\\b"'],
        ['"a";b=1'],
        ["k" * 256],
        ["a", "a"],
        ["a\n"],
    ],
)
def test_what_is_no_key_is_refused(headers: list[str]) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse(headers)
    assert 'Put the key in quotation marks, as in "letter 4711"' in refusal.value.errors[0]["detail"]


@pytest.mark.parametrize("sign", [" ", ";", ",", "(", ")", "?", "{", "<", "[", "@", "/", ":", "="])
def test_of_signs_between_letters_some_need_quotation_marks(sign: str) -> None:
    assert parse([f'"a{sign}b"']) == f"a{sign}b"
    if sign in "@/:=":
        assert parse([f"a{sign}b"]) == f"a{sign}b"
    else:
        with pytest.raises(BadRequest):
            parse([f"a{sign}b"])
