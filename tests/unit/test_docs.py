"""What the documentation says is there is there, and what there is is documented."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from docserver.errors import DocumentErrorCode, ServiceError
from docserver.settings import TEST_MYSQL_URL, Settings, variable
from docserver.web import problems, response_schemas

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs" / "errors.md").read_text()


def subclasses(parent: type[ServiceError]) -> set[type[ServiceError]]:
    return {child for direct in parent.__subclasses__() for child in {direct, *subclasses(direct)}}


@pytest.mark.parametrize("code", DocumentErrorCode)
def test_each_code_of_a_document_error_is_explained(code: DocumentErrorCode) -> None:
    assert f"| `{code}` |" in ERRORS


def test_each_code_of_a_request_error_is_explained_with_its_status() -> None:
    public = {error for error in subclasses(ServiceError) if error.__module__ == "docserver.errors"}
    for error in public:
        assert re.search(rf"\| {error.status} \|.*`{error.code}`", ERRORS), error.code


def test_each_refusal_that_a_handler_documents_has_a_meaning() -> None:
    assert set(problems.MEANINGS) <= {int(status) for status in re.findall(r"^\| (\d{3}) \|", ERRORS, re.MULTILINE)}
    assert response_schemas.Problem.__doc__


@pytest.mark.parametrize("page", ["README.md", "docs/errors.md", "docs/formats.md", "docs/operation.md"])
def test_each_setting_that_a_page_names_exists(page: str) -> None:
    known = {variable(setting.name) for setting in fields(Settings)} | {TEST_MYSQL_URL}

    assert set(re.findall(r"DOCSERVER_[A-Z_]+", (ROOT / page).read_text())) <= known


@pytest.mark.parametrize("page", ["README.md", "docs/errors.md", "docs/formats.md", "docs/operation.md"])
def test_each_file_that_a_page_links_to_or_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    named = set(re.findall(r"\]\((?!http)([^)#]+)\)", text)) | set(
        re.findall(r"`((?:docserver|tests|sql)/[\w/.]+)`", text)
    )

    assert not [name for name in named if not (ROOT / page).parent.joinpath(name).exists()]
