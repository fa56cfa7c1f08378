"""What the documentation says is there is there, and what there is is documented."""

import itertools
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from docserver.errors import DocumentErrorCode, ServiceError
from docserver.settings import TEST_MYSQL_URL, Settings, variable
from docserver.web import problems, response_schemas

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs" / "errors.md").read_text()
PAGES = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


def subclasses(parent: type[ServiceError]) -> set[type[ServiceError]]:
    return {child for direct in parent.__subclasses__() for child in {direct, *subclasses(direct)}}


def without_links(page: str) -> str:
    """The text of a page without the targets of its links, which are relative to it."""
    return re.sub(r"\]\([^)]*\)|https?://\S+", "]", (ROOT / page).read_text())


def headings(page: Path) -> set[str]:
    """The anchors that a page's headings get on GitHub."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("code", DocumentErrorCode)
def test_each_code_of_a_document_error_is_explained(code: DocumentErrorCode) -> None:
    assert f"| `{code}` |" in ERRORS


def test_each_code_of_a_request_error_is_explained_with_its_status() -> None:
    public = {error for error in subclasses(ServiceError) if error.__module__ == "docserver.errors"}
    for error in public:
        assert re.search(rf"\| {error.status} \|.*`{error.code}`", ERRORS), error.code


def test_each_refusal_that_a_handler_documents_has_a_meaning() -> None:
    assert set(problems.DESCRIPTIONS) <= {int(status) for status in re.findall(r"^\| (\d{3}) \|", ERRORS, re.MULTILINE)}
    assert response_schemas.Problem.__doc__


@pytest.mark.parametrize("page", PAGES)
def test_each_setting_that_a_page_names_exists(page: str) -> None:
    known = {variable(setting.name) for setting in fields(Settings)} | {TEST_MYSQL_URL}

    assert set(re.findall(r"DOCSERVER_[A-Z_]+", (ROOT / page).read_text())) <= known


def test_the_page_of_settings_has_each_setting_with_its_default_in_the_order_of_the_example() -> None:
    example = re.findall(r"^#(DOCSERVER_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    page = (ROOT / "docs" / "settings.md").read_text()

    assert re.findall(r"^\| `(DOCSERVER_\w+)` \| (?:`(.*?)` )?\|", page, re.MULTILINE) == example


@pytest.mark.parametrize("page", PAGES)
def test_each_file_and_directory_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"(?:docserver|tests|bench|sql|docs)/[\w./-]*\w/?", without_links(page))

    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_each_link_of_a_page_leads_to_a_file_and_a_heading(page: str) -> None:
    for path, heading in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", (ROOT / page).read_text()):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        assert not heading or heading in headings(target), f"{path}#{heading}"


@pytest.mark.parametrize("page", PAGES)
def test_each_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert (
        set(re.findall(r"(?:^|`)make ([a-z]+)(?=`|  | [A-Z_]+=|$)", (ROOT / page).read_text(), re.MULTILINE)) <= targets
    )


@pytest.mark.parametrize("page", PAGES)
def test_each_measurement_that_a_page_names_exists_and_takes_the_options_beside_it(page: str) -> None:
    for module, beside in re.findall(r"python -m bench\.?(\w*)`([^`]*`--[\w-]+`)?", (ROOT / page).read_text()):
        place = ROOT / "bench" / module
        (program,) = [path for path in (place / "__main__.py", place.with_suffix(".py")) if path.exists()]
        for option in re.findall(r"--[\w-]+", beside):
            assert f'"{option}"' in program.read_text()


def test_the_layers_of_the_architecture_are_those_of_the_import_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer for contract in contracts for layer in contract.get("layers", [])]
    page = (ROOT / "docs" / "architecture.md").read_text()

    position = 0
    for layer in layers:
        position = page.find(f"\n{layer}", position)
        assert position != -1, layer


@pytest.mark.parametrize(
    "room",
    [
        "ocr/archival",
        "ocr/image",
        "ocr/pdf",
        "ocr/pdf/glyphs",
        "ocr/pdf/layout",
        "ocr/pdf/verification",
        "ocr/pdf/words",
        "ocr/recognition",
        "storage",
        "web",
    ],
)
def test_the_architecture_names_each_module_of_a_large_room(room: str) -> None:
    rows = (ROOT / "docs" / "architecture.md").read_text().partition(f"| `docserver/{room}/` |")[2].splitlines()
    named = re.findall(r"`(\w+)`", rows[0] + "".join(itertools.takewhile(lambda row: row.startswith("| |"), rows[1:])))

    modules = [path.stem for path in (ROOT / "docserver" / room).glob("*.py") if path.stem != "__init__"]
    assert sorted(named) == sorted(modules)


def test_each_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()

    for decision in (ROOT / "docs" / "decisions").glob("*.md"):
        assert decision.name == "README.md" or f"]({decision.name})" in index, decision.name


def test_the_workflow_tests_every_python_that_the_makefile_takes() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()

    assert set(re.findall(r"\bpython(3\.\d+)", (ROOT / "Makefile").read_text())) == set(
        re.findall(r'"(3\.\d+)"', workflow)
    )
