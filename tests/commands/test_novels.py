"""`manage.py import_novel` and `export_novel`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from ainoval import mongo
from ainoval.novels.documents import NOVELS, SCENES

Run = Callable[..., str]

TEXT = """第一章 归乡

爱丽丝回到了村子。

***

夜里下起了雨。

第二章 灯塔

灯塔亮了。
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small novel in GB18030, as it is found."""
    path = tmp_path / "归乡.txt"
    path.write_bytes(TEXT.encode("gb18030"))
    return path


def test_a_file_becomes_a_novel_and_the_counts_are_printed(run: Run, alice: Any, file: Path) -> None:
    printed = run("import_novel", str(file), "--user", "alice")
    match = re.fullmatch(r'Imported "归乡" for alice as novel ([0-9a-f]{24}): 2 chapters, 3 scenes\.\n', printed)
    assert match, printed
    novel = mongo.sync_database()[NOVELS].find_one({"_id": match[1]})
    assert novel is not None
    assert novel["author"] == str(alice.pk)
    assert mongo.sync_database()[SCENES].count_documents({"novelId": match[1]}) == 3


def test_a_title_can_be_given_and_the_answer_be_json(run_json: Callable[..., Any], alice: Any, file: Path) -> None:
    answer = run_json("import_novel", str(file), "--user", str(alice.pk), "--title", "Home")
    assert (answer["chapterCount"], answer["sceneCount"]) == (2, 3)
    novel = mongo.sync_database()[NOVELS].find_one({"_id": answer["novelId"]})
    assert novel is not None
    assert novel["title"] == "Home"


def test_what_is_exported_can_be_imported_again(run: Run, run_json: Callable[..., Any], alice: Any, file: Path, tmp_path: Path) -> None:
    novel = run_json("import_novel", str(file), "--user", "alice")["novelId"]
    output = tmp_path / "out.md"
    assert run("export_novel", novel, "--output", str(output)).startswith(f"Exported novel {novel} to {output} (")
    again = run_json("import_novel", str(output), "--user", "alice")
    assert (again["chapterCount"], again["sceneCount"]) == (2, 3)
    assert run("export_novel", again["novelId"]) == output.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_existing_file_is_replaced_only_by_force(run: Run, run_json: Callable[..., Any], alice: Any, file: Path, tmp_path: Path) -> None:
    novel = run_json("import_novel", str(file), "--user", "alice")["novelId"]
    output = tmp_path / "out.md"
    output.write_text("mine")
    with pytest.raises(CommandError, match="is there already: add --force"):
        run("export_novel", novel, "--output", str(output))
    assert output.read_text() == "mine"
    run("export_novel", novel, "--output", str(output), "--force")
    assert "灯塔亮了。" in output.read_text("utf-8")


def test_a_novel_of_somebody_else_is_not_exported_for_a_user(run: Run, run_json: Callable[..., Any], alice: Any, bob: Any, file: Path) -> None:
    novel = run_json("import_novel", str(file), "--user", "alice")["novelId"]
    with pytest.raises(CommandError, match=rf"There is no novel '{novel}' of bob\."):
        run("export_novel", novel, "--user", "bob")
    with pytest.raises(CommandError, match="There is no user ''"):
        run("export_novel", novel, "--user", "")  # an unset variable of a shell is not everybody
    assert "灯塔" in run("export_novel", novel, "--user", "alice")


@pytest.mark.parametrize("novel_id", ["0" * 24, "nonsense", "\udcff"])
def test_a_novel_that_does_not_exist_is_said_so(run: Run, novel_id: str) -> None:
    with pytest.raises(CommandError, match="There is no novel"):
        run("export_novel", novel_id)


def test_files_that_cannot_be_read_are_refused_in_words(run: Run, alice: Any, tmp_path: Path) -> None:
    (tmp_path / "novel.pdf").write_bytes(b"%PDF")
    (tmp_path / "empty.txt").write_bytes(b"")
    for name, complaint in [("missing.txt", "cannot be read: No such file"), ("", "cannot be read: Is a directory"), ("novel.pdf", "ends in .txt")]:
        with pytest.raises(CommandError, match=complaint):
            run("import_novel", str(tmp_path / name), "--user", "alice")
    with pytest.raises(CommandError, match="The file is empty"):
        run("import_novel", str(tmp_path / "empty.txt"), "--user", "alice")
    assert mongo.sync_database()[NOVELS].count_documents({}) == 0


def test_a_user_is_needed_and_must_exist(run: Run, alice: Any, file: Path) -> None:
    with pytest.raises(CommandError, match="the following arguments are required: --user"):
        run("import_novel", str(file))
    for missing in ("nobody", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(CommandError, match="There is no user"):
            run("import_novel", str(file), "--user", missing)
