"""The console speaks English and Chinese."""

import ast
import gettext
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Staff, Store, page_of

pytestmark = pytest.mark.django_db

CATALOG = Path(settings.BASE_DIR) / "locale" / "zh_Hans" / "LC_MESSAGES"
CHINESE = {"accept-language": "zh-hans"}


def test_list_and_task_page_are_in_chinese_for_those_who_read_it(olga: Any, staff: Staff, store: Store) -> None:
    client = staff(user=olga)
    task = store(TaskStatus.FAILED)
    store(task_type="BATCH_GENERATE_SUMMARY", parameters={"novelId": "n", "startChapterId": "c", "endChapterId": "c"})
    listed = client.get(LIST, headers=CHINESE).content.decode()
    # Of templates, of the presenters, of what is read on the loop of another thread, of the admin itself.
    for words in ("后台任务", "等待或运行", "排队中", "批量生成摘要", "若干章节", "没有工作进程在运行", "注销", "全部符合条件的 2 个", "刷新"):
        assert words in listed
    page = client.get(page_of(task), headers=CHINESE).content.decode()
    for words in ("失败", "操作记录", "任务已经结束。", "没有员工操作过此任务。"):
        assert words in page


def test_answers_to_actions_are_in_chinese(olga: Any, staff: Staff, store: Store) -> None:
    client = staff(user=olga)
    task = store(TaskStatus.COMPLETED)
    refused = client.post(page_of(task, "cancel"), headers=CHINESE, follow=True).content.decode()
    assert "任务已经结束。" in refused
    selected = {"action": "delete", "task": [task["_id"]]}
    assert "删除：1 个任务" in client.post(f"{LIST}selected/", selected, headers=CHINESE).content.decode()
    done = client.post(f"{LIST}selected/", selected | {"confirmed": "yes"}, headers=CHINESE, follow=True).content.decode()
    assert "1 个任务已删除。" in done


def test_the_admins_own_pages_are_in_chinese(olga: Any, staff: Staff) -> None:
    index = staff(user=olga).get("/admin/", headers=CHINESE)
    assert index["Content-Language"] == "zh-hans"
    assert "账户" in index.content.decode() and "Accounts" not in index.content.decode()


def test_other_readers_get_english(olga: Any, staff: Staff, store: Store) -> None:
    store()
    assert "Waiting or running" in staff(user=olga).get(LIST, headers={"accept-language": "xx"}).content.decode()


def said_in_templates() -> set[str]:
    """Return every text that the console's templates translate, as gettext knows it."""
    found = set()
    for path in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        found |= {context + "\x04" + words if context else words for words, context in re.findall(r'{% translate "([^"]*)"(?: context "([^"]*)")? %}', text)}
        for block in re.findall(r"{% blocktranslate[^%]*%}(.*?)(?:{% plural %}.*?)?{% endblocktranslate %}", text, re.DOTALL):
            found.add(re.sub(r"{{ (\w+) }}", r"%(\1)s", block))
    return found


def said_in_code() -> set[str]:
    """Return every text that our modules translate."""
    marks = {"_", "gettext_lazy", "gettext_noop", "ngettext"}
    found = set()
    for path in [path for package in ("ainoval", "tasks_app") for path in (Path(settings.BASE_DIR) / package).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in marks and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pgettext":
                found.add("\x04".join(str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)))
    return found


def test_every_text_that_is_said_is_in_the_catalog() -> None:
    with (CATALOG / "django.mo").open("rb") as compiled:
        catalog = gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]
    known = {key[0] if isinstance(key, tuple) else key for key in catalog}
    templates, code = said_in_templates(), said_in_code()
    assert len(templates) > 100 and len(code) > 150
    assert sorted(text for text in templates | code if text.replace("%s", "%%s") not in known and text not in known) == []


def test_every_text_is_translated_and_the_compiled_catalog_is_that_of_the_source() -> None:
    source = (CATALOG / "django.po").read_text(encoding="utf-8")
    translated: dict[str, str] = {}
    for entry in source.split("\n\n")[1:]:
        found = {name: ast.literal_eval(text) for name, text in re.findall(r'^(msgctxt|msgid|msgstr|msgstr\[0\]) (".*")$', entry, re.M)}
        key = f"{found['msgctxt']}\x04{found['msgid']}" if "msgctxt" in found else found["msgid"]
        translated[key] = found.get("msgstr", found.get("msgstr[0]", ""))
    assert len(translated) > 100
    assert not [text for text, chinese in translated.items() if not chinese]
    assert "fuzzy" not in source
    with (CATALOG / "django.mo").open("rb") as compiled:
        catalog = gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]
    stored = {(key[0] if isinstance(key, tuple) else key): text for key, text in catalog.items() if key}
    assert stored == translated
