"""Links lead somewhere, and no page shows where it was written."""

import re

import pytest

from tests.docs.pages import ROOT, Page, pages

# Folders of a developer's machine. Those of an installation (/srv, /var/lib, /etc) are examples that an operator reads.
_OF_A_MACHINE = re.compile(r"(?<![\w.:/-])(/(?:home|root|Users|tmp|work|mnt|opt)/|[A-Z]:\\)")


def test_there_are_pages() -> None:
    assert {"README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"} <= {page.name for page in pages()}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_internal_link_leads_to_a_file_and_an_anchor(page: Page) -> None:
    dead = [link for link in page.links if "://" not in link and not _exists(page, link)]
    assert dead == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_no_page_names_a_folder_of_somebodys_machine(page: Page) -> None:
    assert [line for line in page.text.splitlines() if _OF_A_MACHINE.search(line)] == []


@pytest.mark.parametrize("page", [page for page in pages() if page.name.startswith("docs/")], ids=lambda page: page.name)
def test_every_page_of_docs_can_be_reached_from_the_readme(page: Page) -> None:
    readme = next(each for each in pages() if each.name == "README.md")
    assert page.name in {link.partition("#")[0] for link in readme.links}


def _exists(page: Page, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.path.parent / file).resolve() if file else page.path
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or (target.suffix == ".md" and anchor in Page(target, target.read_text("utf-8")).anchors)
