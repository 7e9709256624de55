"""The tests, as `make test` runs them: first those that bear company, three at a time (they wait more than they work), then those marked `alone`.

    python -m tests.run [ARGUMENTS]      # for pytest: paths, -k, -x …

Both parts are summed up at the end, and the exit code is that of both.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

PARTS = {"together": ["-n", "3", "--dist", "worksteal", "-m", "not alone"], "alone": ["-n", "0", "-m", "alone"]}
PASSED, FAILED, NOTHING_SELECTED = 0, 1, 5  # pytest's exit codes; others mean that it was interrupted or could not do its work
ENDINGS = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def main(arguments: list[str]) -> int:
    """Run both parts; return 0 when something was run and all of it passed."""
    started = time.monotonic()
    codes: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder, f"{name}.xml") for name in PARTS]
        for part, report in zip(PARTS.values(), reports, strict=True):
            command = [sys.executable, "-m", "pytest", *part, f"--junit-xml={report}", *arguments]
            codes.append(subprocess.run(command, check=False).returncode)
            if codes[-1] not in (PASSED, FAILED, NOTHING_SELECTED) or (codes[-1] == FAILED and {"-x", "--exitfirst"} & set(arguments)):
                break
        endings = Counter(ending for report in reports if report.exists() for ending in endings_in(report))
    said = ", ".join(f"{number:,} {ending}" for ending, number in sorted(endings.items(), key=lambda pair: pair[0] != "failed"))
    print(f"In all: {said or 'nothing'}, in {time.monotonic() - started:.0f} s.")
    bad = [code for code in codes if code not in (PASSED, NOTHING_SELECTED)]
    return bad[0] if bad else min(codes)


def endings_in(report: Path) -> list[str]:
    """Return how each test of a JUnit report ended, and name those that failed."""
    endings = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest has just written it
        ending = next((ENDINGS[part.tag] for part in case if part.tag in ENDINGS), "passed")
        endings.append(ending)
        if ending == "failed":
            print(f"FAILED {case.get('classname')} {case.get('name')}")
    return endings


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
