"""Take the pictures of the console that the README shows: `make screenshots`, or `python -m tests.browser.screenshots [FOLDER]`.

A real server on a database that `manage.py seed_console` fills, and Chromium. What is shown is the code as it stands.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tests.support.environment  # noqa: F401 - before anything that reads settings
from ainoval import mongod
from tests.support import http_server
from tests.support.environment import DATA_DIR

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
DATABASE = "screenshots"
TASKS = 30_000
WIDTH = 1360

SEED = f"""
from ainoval.accounts.models import User
User.objects.create_superuser("olga", password="{http_server.PASSWORD}")
call_command("seed_console", "--tasks", "{TASKS}", "--seed", "7")
"""


def main() -> int:
    """Take the pictures; return 1 where there is no browser."""
    from tests.browser.visitor import CHROMIUM

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    options = parser.parse_args()
    if CHROMIUM is None:
        print("Chromium is missing: install it (on Debian `apt-get install chromium`)", file=sys.stderr)
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        try:
            uri = mongod.ensure_running(DATA_DIR)
            with http_server.running(Path(folder), uri, DATABASE, make_users=SEED, DJANGO_SETTINGS_MODULE="ainoval.settings") as server, workers(server):
                take(f"http://127.0.0.1:{server.port}", CHROMIUM, options.folder)
        finally:
            mongod.stop_if_last(DATA_DIR)
    return 0


@contextmanager
def workers(server: http_server.HttpServer) -> Iterator[None]:
    """Keep the seeded workers reporting."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "seed_console", "--tasks", "0", "--beat"], cwd=ROOT, env=server.environment, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def take(base: str, chromium: str, folder: Path) -> None:
    """Take the pictures of a running server."""
    from playwright.sync_api import sync_playwright

    from ainoval.development.seeding.live import stuck_id
    from tests.browser.visitor import LIST, Visitor

    pages: dict[str, tuple[str, str, int]] = {
        "console-overview": (f"{LIST}overview/?range=24h", "light", 1_180),
        "console-list": (LIST, "light", 900),
        "console-task": (f"{LIST}{stuck_id('awaiting_children')}/", "dark", 900),
    }
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (address, scheme, height) in pages.items():
            options: Any = {"base_url": base, "viewport": {"width": WIDTH, "height": height}, "color_scheme": scheme}
            visitor = Visitor(browser.new_context(**options))
            visitor.log_in("olga", http_server.PASSWORD)
            visitor.open(address)
            visitor.open()  # counts that were begun by the first look are there for the second
            visitor.page.wait_for_timeout(3_000)
            visitor.open(address).page.wait_for_load_state("networkidle")
            path = folder / f"{name}.png"
            visitor.page.screenshot(path=path)
            print(f"{os.path.relpath(path)}: {path.stat().st_size // 1024} KiB", flush=True)
            if visitor.problems:
                raise SystemExit(f"{address}: {visitor.problems}")
            visitor.context.close()
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
