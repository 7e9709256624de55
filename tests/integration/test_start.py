"""A wrong setting ends a process with one line, however it is started."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import PROJECT_ROOT
from tests.support.environment import DATA_DIR, clean_environment

SERVER = ("-m", "uvicorn", "ainoval.asgi:application", "--port", "0")
WSGI = ("-c", "import ainoval.wsgi")
COMMAND = ("manage.py", "list_tasks")
UNKNOWN = ({"TASKS_FOO": "1"}, "Not started: unknown setting TASKS_FOO: see docs/configuration.md for the names that exist")
IN_AN_APP = ({"AI_PROVIDER": "openai"}, "Not started: AI_PROVIDER=openai needs OPENAI_API_KEY (any word will do for a server that checks no key).")
UNWRITABLE = (
    {"AINOVAL_DATA_DIR": "/dev/null/var", "DJANGO_SECRET_KEY": "any"},
    "Not started: AINOVAL_DATA_DIR=/dev/null/var cannot be written (Not a directory): choose another folder",
)


def start(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Start Python with these settings, and wait for its end."""
    env = clean_environment() | {"AINOVAL_DATA_DIR": str(DATA_DIR)} | settings
    return subprocess.run([sys.executable, *arguments], cwd=PROJECT_ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "mistake", "code"),
    [(SERVER, UNKNOWN, 3), (SERVER, IN_AN_APP, 3), (SERVER, UNWRITABLE, 3), (WSGI, UNKNOWN, 3), (COMMAND, IN_AN_APP, 1), (COMMAND, UNWRITABLE, 1)],
    ids=["uvicorn", "uvicorn-app", "uvicorn-folder", "wsgi", "command-app", "command-folder"],
)
def test_a_wrong_setting_is_one_line_and_an_exit_code(arguments: tuple[str, ...], mistake: tuple[dict[str, str], str], code: int) -> None:
    settings, line = mistake
    ended = start(*arguments, **settings)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", f"{line}\n", code)


def test_what_our_checks_refuse_starts_no_server() -> None:
    ended = start(*SERVER, TASKS_TYPE_LIMITS="BOGUS=1")
    assert ended.returncode == 3
    assert ended.stderr.startswith("Not started: TASKS_TYPE_LIMITS names unknown task types: BOGUS (Known: BATCH_GENERATE_SCENE, ")
    assert ended.stderr.count("\n") == 1


def test_a_server_of_many_processes_gives_up_instead_of_starting_them_for_ever() -> None:
    ended = start(*SERVER, "--workers", "2", "--log-level", "critical", TASKS_FOO="1")
    assert {*ended.stderr.splitlines()} == {"Not started: unknown setting TASKS_FOO: see docs/configuration.md for the names that exist"}


TYPE_OF_AN_APP = """
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tasks_app.registry import register


@register
class CountStock(TaskExecutable[NoParameters, NoParameters]):
    task_type = "COUNT_STOCK"

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        return NoParameters()
"""


def test_the_task_types_of_another_app_are_found_in_every_module_of_its_package(tmp_path: Path) -> None:
    package = tmp_path / "shop" / "executables"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "count_stock.py").write_text(TYPE_OF_AN_APP)
    (tmp_path / "shop_settings.py").write_text("from ainoval.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'shop']\n")
    known = "import django; django.setup(); from tasks_app import registry; print(*registry.known_types())"
    ended = start("-c", known, PYTHONPATH=str(tmp_path), DJANGO_SETTINGS_MODULE="shop_settings")
    assert "COUNT_STOCK" in ended.stdout.split(), ended.stderr
