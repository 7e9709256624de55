"""One small break for each item of the original design, and the test that must go red for it: `make mutants`.

Works on copies of the tree, so the checkout stays as it is. First every named test must be green unbroken; then each break is made alone, two at a time in a
tree each, its test is run, and the break is undone. The exit code says whether every break was seen.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "var", "__pycache__", ".*_cache", ".hypothesis")

UNIT = "tests/unit/test_core_values.py"
WORKER = "tests/integration/worker/test_worker_in_process.py"
TYPES = "tests/integration/worker/test_task_types.py"
LIFECYCLE = "tests/integration/tasks/test_tasks_lifecycle.py"
RECOVERY = "tests/integration/tasks/test_tasks_recovery.py"
API = "tests/api/test_tasks.py"
SCHEMA = "tests/api/test_schema.py"


# A tree is broken and mended within the second that Python's cache of compiled modules tells apart; and what a break prevents is not waited for long.
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "TESTS_PATIENCE": "10"}
AT_ONCE = 2


@dataclass(frozen=True)
class Mutant:
    """A break: `before` becomes `after`, once, in `file`; `test` must fail."""

    item: str
    file: str
    before: str
    after: str
    test: str


MUTANTS = [
    Mutant("Task-Core-01", "tasks_app/states.py", 'INTERRUPTED = "INTERRUPTED"', 'INTERRUPTED = "ABORTED"', f"{UNIT}::test_the_statuses_are_those_of_the_contract_and_ended_ones_are_left_only_by_requeue"),
    Mutant("Task-Core-02", "tasks_app/documents.py", '        "crashCount": 0,\n', "", f"{LIFECYCLE}::test_a_new_task_is_what_the_document_declares"),
    Mutant("Task-Core-03", "tasks_app/worker/context.py", "self._attempt.report(current, total, message, percentage)", "pass", f"{WORKER}::test_progress_is_stored_now_and_then_and_the_last_report_always"),
    Mutant("Task-Core-04", "tasks_app/executable.py", 'extra="forbid"', 'extra="ignore"', f"{API}::test_parameters_that_do_not_fit_are_named"),
    Mutant("Task-Core-05", "tasks_app/registry.py", "if other is not None and", "if False and", f"{UNIT}::test_a_second_class_under_one_name_stops_the_start"),
    Mutant("Task-Persist-01", "tasks_app/queries.py", 'else {"_id": task_id, "userId": user_id}', 'else {"_id": task_id}', f"{API}::test_another_users_task_a_missing_one_and_a_malformed_id_get_the_same_404"),
    Mutant("Task-Exec-01", "tasks_app/lifecycle/endings.py", '        "result": result,\n        "progress"', '        "result": {},\n        "progress"', f"{WORKER}::test_a_task_completes_with_its_result_and_one_attempt"),
    Mutant("Task-Exec-02", "tasks_app/registry.py", "cls.runs_in_thread = not inspect.iscoroutinefunction(cls.execute)", "cls.runs_in_thread = False", f"{WORKER}::test_a_plain_def_runs_in_the_thread_pool"),
    Mutant("Task-Exec-03", "tasks_app/worker/worker.py", "free = self.settings.worker_concurrency - len", "free = 1 - len", f"{WORKER}::test_hundreds_of_tasks_overlap_on_one_loop_of_one_process"),
    Mutant("Task-Exec-04", "tasks_app/worker/attempt.py", "if self._reported and not self.ending:", "if False:", f"{WORKER}::test_progress_is_stored_now_and_then_and_the_last_report_always"),
    Mutant("Task-Exec-05", "tasks_app/worker/limits.py", 'live.users[task["userId"]] >= self.per_user', 'live.users[task["userId"]] > self.per_user', f"{WORKER}::test_a_users_limit_holds_and_every_task_gets_its_turn"),
    Mutant("Task-Exec-06", "tasks_app/worker/attempt.py", "            self._work.cancel()\n", "            pass\n", f"{WORKER}::test_a_running_task_is_cancelled_within_a_second"),
    Mutant("Task-Exec-07", "tasks_app/outcomes.py", "if attempt >= policy.max_attempts:", "if True:", f"{WORKER}::test_an_error_is_retried_and_its_text_is_kept_from_the_user"),
    Mutant("Task-Exec-08", "tasks_app/lifecycle/leases.py", '"lease.expiresAt": {"$exists": True},', '"lease.expiresAt": {"$exists": False},', f"{RECOVERY}::test_an_expired_lease_puts_the_task_back_at_no_cost_of_an_attempt"),
    Mutant("Task-API-01", "tasks_app/api/schema.py", 'TAG = "Background Tasks"', 'TAG = "Tasks"', f"{SCHEMA}::test_every_task_type_has_a_path_with_its_own_parameters"),
    Mutant("Task-API-02", "tasks_app/api/views.py", 'Response({"taskId": stored.task_id}, status=202', 'Response({"taskId": stored.task_id}, status=200', f"{API}::test_a_submission_is_stored_and_answered_at_once"),
    Mutant("Task-API-03", "tasks_app/queries.py", 'query: Json = {"userId": self.user_id}', "query: Json = {}", f"{API}::test_the_list_has_ones_own_tasks_newest_first"),
    Mutant("Task-API-04", "tasks_app/presenters.py", '{"code": error["code"], "message": error["message"]} if error else None', "error", f"{API}::test_details_never_show_what_only_staff_may_see"),
    Mutant("Task-API-05", "tasks_app/operations.py", "at_once = await lifecycle.execute(db, waiting)", "at_once = 0", f"{API}::test_a_waiting_task_is_cancelled_at_once_and_only_once"),
    Mutant("Task-API-06", "tasks_app/presenters.py", '        "waitingReason": reason,\n', "", f"{SCHEMA}::test_answers_are_as_described"),
    Mutant("Task-Impl-01", "tasks_app/executables/generate_summary.py", 'field="summary", text=draft.text', 'field="content", text=draft.text', f"{TYPES}::test_a_summary_that_is_there_is_left_alone_unless_it_may_be_overwritten"),
    Mutant("Task-Impl-02", "tasks_app/executables/generate_scene.py", 'field="content", text=text', 'field="summary", text=text', f"{TYPES}::test_a_scene_is_written_from_its_own_summary"),
    Mutant("Task-Impl-03", "tasks_app/executables/batch_generate_summary.py", "parameters.overwrite_existing and scene.has_content", "True", f"{TYPES}::test_a_batch_summarises_every_scene_once_and_skips_what_is_there_or_empty"),
    Mutant("Task-Impl-04", "tasks_app/executables/batch_generate_scene.py", "parameters.overwrite_existing and scene.has_summary", "True", f"{TYPES}::test_a_batch_writes_the_scenes_that_have_a_summary_and_no_text"),
    Mutant("Task-Test-01", "tasks_app/retry.py", "2.0 ** min(attempt - 1, 40)", "1.0 ** min(attempt - 1, 40)", f"{UNIT}::test_the_bound_of_the_backoff_doubles_up_to_its_limit_and_the_delay_lies_below"),
    Mutant("Task-Test-02", "ainoval/logs.py", 'event.setdefault("ran_on", "loop")', 'event.setdefault("ran_on", "?")', f"{UNIT}::test_a_log_line_says_that_it_was_written_on_a_loop"),
    Mutant("Task-Config-01", "ainoval/env.py", "    if unknown:\n", "    if False:\n", f"{UNIT}::test_a_wrong_setting_stops_the_start_with_a_line_that_names_it"),
    Mutant("Task-Sec-01", "ainoval/api/conf.py", "rest_framework.permissions.IsAuthenticated", "rest_framework.permissions.AllowAny", f"{SCHEMA}::test_only_tokens_and_health_are_open"),
    Mutant("Task-Log-01", "tasks_app/worker/attempt.py", "            user_id=self.user_id,\n            attempt", "            attempt", f"{WORKER}::test_every_line_of_a_tasks_life_says_whose_it_is_and_a_blocked_loop_is_named"),
    Mutant("Task-Doc-01", "ainoval/api/conf.py", '"PREPROCESSING_HOOKS": ["tasks_app.api.schema.one_path_per_task_type"]', '"PREPROCESSING_HOOKS": []', f"{SCHEMA}::test_every_task_type_has_a_path_with_its_own_parameters"),
    Mutant("Task-Doc-02", "docs/lifecycle.md", "    RUNNING --> RETRYING: retry\n", "", f"{UNIT}::test_the_picture_of_the_lifecycle_shows_every_transition_and_no_other"),
]  # fmt: skip


def run_tests(tree: Path, tests: list[str]) -> tuple[int, str]:
    """Run some tests in a tree; return pytest's exit code and what it printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=tree, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Make every break; return 0 when each was seen."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            trees.put(shutil.copytree(ROOT, Path(folder) / f"tree-{number}", ignore=LEFT_OUT))
        tree = trees.get()
        code, output = run_tests(tree, sorted({mutant.test for mutant in MUTANTS}))
        trees.put(tree)
        if code:
            print(output[-4000:])
            print("The tests are not green without any break.")
            return 1
        print(f"{len(MUTANTS)} items; their tests are green without a break.", flush=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            verdicts = list(pool.map(lambda mutant: seen_in_one_of(trees, mutant), MUTANTS))
        missed = [mutant.item for mutant, red in zip(MUTANTS, verdicts, strict=True) if not red]
    print(f"{len(MUTANTS) - len(missed)} passed, {len(missed)} failed")
    if missed:
        print(f"Not seen: {', '.join(missed)}")
    return 1 if missed else 0


def seen_in_one_of(trees: "SimpleQueue[Path]", mutant: Mutant) -> bool:
    """Make one break in a tree that nobody uses, and say whether its test went red."""
    tree = trees.get()
    try:
        return seen(tree, mutant)
    finally:
        trees.put(tree)


def seen(tree: Path, mutant: Mutant) -> bool:
    """Make one break and say whether its test went red."""
    path = tree / mutant.file
    text = path.read_text()
    if mutant.before not in text:
        print(f"{mutant.item}: the line to break is not in {mutant.file} any more", flush=True)
        return False
    started = time.monotonic()
    path.write_text(text.replace(mutant.before, mutant.after, 1))
    try:
        code, _ = run_tests(tree, [mutant.test])
    finally:
        path.write_text(text)
    # 1: tests ran and failed. Anything else (no such test, a broken import of the tests themselves) proves nothing.
    red = code == 1
    print(
        f"{mutant.item:16} {'red, as it must be' if red else f'NOT SEEN (exit code {code})':24} {time.monotonic() - started:5.1f} s  {mutant.test.partition('::')[2]}",
        flush=True,
    )
    return red


if __name__ == "__main__":
    sys.exit(main())
