"""What the pages name exists: commands with their options, targets of the Makefile, tests, files, endpoints, events of the log."""

import ast
import configparser
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from tests.docs.pages import ROOT, Page, page, pages

MANAGE = re.compile(r"manage\.py +([a-z_]+)([^#`]*)")
MAKE = re.compile(r"\bmake +([a-z]+(?:-[a-z]+)*)\b")
TEST = re.compile(r"\btests/[\w/]+\.py(?:::\w+)?")
FILE = re.compile(r"^(?:ainoval|tasks_app|tests|templates|locale|docs)/[\w./-]*$")
ENDPOINT = re.compile(r"(?<![\w.])(/(?:api|health)(?:/[\w{}.-]+)*)")
EVENT = re.compile(r"^[a-z]+(?:_[a-z]+)+$")

ALL = pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)

# Made by following docs/adding-a-task-type.md.
OF_THE_EXAMPLE = {"tasks_app/executables/count_words.py", "tests/acceptance/test_count_words.py"}


@ALL
def test_every_command_exists_and_takes_its_arguments(each: Page) -> None:
    for code in each.code:
        for name, rest in MANAGE.findall(code):
            assert name in get_commands(), code
            _parse(name, re.split(r" {2,}", rest.strip())[0])  # after two spaces comes what people read


@ALL
def test_every_make_target_exists(each: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for code in each.code for target in MAKE.findall(code)} - targets == set()


@ALL
def test_every_test_that_is_named_exists(each: Page) -> None:
    named = set(TEST.findall(each.text)) - OF_THE_EXAMPLE
    assert {name for name in named if not _is_test(name)} == set()


@ALL
def test_every_file_that_is_named_exists(each: Page) -> None:
    named = {code for code in each.code if FILE.match(code)} - OF_THE_EXAMPLE
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_folders_of_tests_are_named_in_both_readmes_and_in_contributing() -> None:
    kinds = {path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))}
    english = _layout(page("README.md"))
    assert set(re.findall(r"\w+", re.sub(r"\(.*?\)", "", english.removeprefix("tests/")))) == kinds
    sentence = re.search(r"The folder says the kind:(.*?)\.\n", page("CONTRIBUTING.md").text, re.DOTALL)
    assert sentence is not None
    assert set(re.findall(r"`(\w+)`", sentence[1])) == kinds
    chinese = re.split("[、和]", re.sub("（.*?）", "", _layout(page("README.zh-CN.md")).removeprefix("tests/")))
    assert len(chinese) == len(kinds)


@pytest.mark.parametrize("package", ["ainoval", "tasks_app"])
def test_the_module_map_names_every_module(package: str) -> None:
    drawn = next(block.text for block in page("docs/architecture.md").blocks if block.text.startswith("ainoval/"))
    part = re.split(r"\n(?=tasks_app/)", drawn)[package == "tasks_app"]
    named = {name for line in part.splitlines() for name in re.findall(r"\w+", re.split(r" {2,}", line.strip())[0])}
    inside = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert inside - {"__init__", "migrations"} - named == set()


def test_the_lines_of_layers_are_those_that_the_lint_checks() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    checked = [line.replace("tasks_app.", "").split(" : ") for line in contracts["importlinter:contract:core"]["layers"].split("\n") if line]
    described = [line.split(", ") for line in re.findall(r"^ [1-9]  (.+)$", page("docs/architecture.md").text, re.MULTILINE)]
    assert described == checked[::-1]


@ALL
def test_every_endpoint_exists(each: Page) -> None:
    paths = {path for code in each.code for path in ENDPOINT.findall(code) if path not in ("/api", "/health")}
    assert {path for path in paths if not _resolves(path)} == set()


def test_every_event_of_the_log_is_written_somewhere() -> None:
    text = page("docs/operations.md").text
    sentences = re.findall(r"(?:the log\s+has|story of a task:)(.*?)\.\s", text, re.DOTALL)
    events = {name for sentence in sentences for name in re.findall(r"`([^`]+)`", sentence) if EVENT.match(name)} - {"task_id"}
    assert len(sentences) == 2
    assert len(events) > 8
    code = "".join(path.read_text() for folder in ("ainoval", "tasks_app") for path in (ROOT / folder).rglob("*.py"))
    assert {event for event in events if f'"{event}"' not in code} == set()


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = page("README.md"), page("README.zh-CN.md")
    assert [_without_comments(block.text) for block in english.blocks[:-1]] == [_without_comments(block.text) for block in chinese.blocks[:-1]]
    assert [len(re.findall(rf"^{'#' * level} ", english.prose, re.MULTILINE)) for level in (1, 2, 3)] == [
        len(re.findall(rf"^{'#' * level} ", chinese.prose, re.MULTILINE)) for level in (1, 2, 3)
    ]
    assert sorted(set(english.links) - {"README.zh-CN.md"}) == sorted(set(chinese.links) - {"README.md"})


def _layout(readme: Page) -> str:
    return next(line for block in readme.blocks for line in block.text.splitlines() if line.startswith("tests/ "))


def _parse(name: str, arguments: str) -> None:
    command: Any = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    words = shlex.split(arguments)
    given = [word for word in words if word.startswith("-")]
    known = {option for action in parser._actions for option in action.option_strings}
    assert set(given) <= known, f"{name} {arguments}"
    if "--help" not in given and any(not word.startswith("-") for word in words):
        parser.parse_args(words)  # with their values; raises CommandError for one that is not accepted


@cache
def _tests_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_test(name: str) -> bool:
    file, _, function = name.partition("::")
    path = ROOT / file
    return path.is_file() and (not function or function in _tests_in(path))


def _resolves(path: str) -> bool:
    try:
        found = resolve(re.sub(r"\{\w+\}", "x", path))
    except Resolver404:
        return False
    return found.func.__name__ != "nothing_here"


def _without_comments(text: str) -> list[str]:
    return [line.partition("    #")[0].rstrip() for line in text.splitlines()]
