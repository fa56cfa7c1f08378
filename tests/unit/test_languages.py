"""The models that `auto` chooses from."""

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from docserver.ocr.languages import MODELS, candidates

INSTALLED = ["ara", "deu", "eng", "fra", "frk", "jpn", "jpn_vert", "rus", "script/Latin", "trained_here"]


def test_those_that_are_preferred_stand_in_front_then_those_that_are_written_most() -> None:
    assert candidates(INSTALLED) == ("eng", "fra", "deu", "frk", "rus", "jpn", "ara")
    assert candidates(INSTALLED, preferred=["deu", "rus"]) == ("deu", "rus", "eng", "fra", "frk", "jpn", "ara")


@pytest.mark.parametrize("preferred", ["auto", "jpn_vert", "spa"])
def test_what_cannot_be_chosen_is_not_preferred(preferred: str) -> None:
    assert candidates(INSTALLED, preferred=[preferred]) == candidates(INSTALLED)


def test_where_nothing_is_known_of_any_it_is_the_first() -> None:
    assert candidates(["trained_here", "jpn_vert"]) == ("jpn_vert",)


def test_every_language_that_a_text_may_be_told_to_be_of_can_be_told() -> None:
    known = set(LanguageIdentifier.from_model_file(MODEL_FILE).labels)

    assert {model.language for model in MODELS.values() if model.language} <= known
