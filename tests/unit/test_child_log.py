"""What `manage.py dev` shows of its children's logs."""

from pathlib import Path

import pytest

from ainoval.development.child_log import LogReader, complaint_in

FAILED = "2026-11-26T20:15:47.204862Z [warning  ] attempt_failed               [tasks_app.worker.attempt] attempt=1"
TRACEBACK = r"""'Traceback (most recent call last):\n  File "attempt.py"\nAttributeError: \'PoolContext\' object has no attribute \'scenes\'\n'"""
RAISED = "raised=AttributeError: 'PoolContext' object has no attribute 'scenes'"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"{FAILED} code=x ran_on=loop task_type=A traceback={TRACEBACK} worker=w", f"warning: attempt_failed attempt=1 code=x task_type=A {RAISED} worker=w"),
        (f"{FAILED} code=x task_type=A traceback=None worker=w", "warning: attempt_failed attempt=1 code=x task_type=A worker=w"),
        (
            '{"level": "warning", "event": "attempt_failed", "logger": "l", "code": "x", "traceback": "Traceback\\n  File\\nKeyError: 1\\n"}',
            "warning: attempt_failed code=x raised=KeyError: 1",
        ),
        ("2026-11-26T20:15:47.2Z [info     ] attempt_ended  [tasks_app.worker.attempt] attempt=1", None),
    ],
)
def test_a_complaint_ends_with_what_was_raised_and_not_with_where(line: str, shown: str | None) -> None:
    assert complaint_in(line) == shown


def test_failures_of_several_task_types_are_each_shown_and_repeats_are_not(tmp_path: Path) -> None:
    log = tmp_path / "workers.log"
    lines = [f"{FAILED} code={code} task_type={name}" for name, code in [("A", "x"), ("A", "x"), ("B", "x"), ("A", "y")]]
    log.write_text("\n".join(lines) + "\n")
    shown = LogReader(log, 0).complaints()
    assert [complaint.partition(" code=")[2] for complaint in shown] == ["x task_type=A", "x task_type=B", "y task_type=A"]


def test_a_log_that_somebody_empties_is_read_anew_and_a_deleted_one_ends_nothing(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"{FAILED} code=x task_type=A\n" * 9)
    reader = LogReader(log, log.stat().st_size)
    log.write_text(f"{FAILED} code=y task_type=B\n")
    assert len(reader.complaints()) == 1
    log.unlink()
    assert reader.complaints() == reader.tail(12) == []
