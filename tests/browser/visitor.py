"""Somebody before a browser: one window, and everything that went wrong in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, expect

LIST = "/admin/tasks_app/backgroundtask/"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MILLISECONDS = 60_000  # the machine may be busy; what is waited for comes much sooner

expect.set_options(timeout=PATIENCE_MILLISECONDS)


class Visitor:
    """A browser context with one page.

    Attributes:
        problems: Script errors, what the Content-Security-Policy refused, failed requests.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.problems: list[str] = []
        self.expected: set[int] = set()
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MILLISECONDS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("response", self._response)
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error('refused: ' + e.violatedDirective + e.blockedURI));"
        )

    @classmethod
    @contextmanager
    def browsing(cls, browser: Browser, base: str) -> Iterator["Visitor"]:
        """A window of somebody who is not logged in, closed afterwards."""
        context = browser.new_context(base_url=base)
        try:
            yield cls(context)
        finally:
            context.close()

    def _console(self, message: ConsoleMessage) -> None:
        # A status that the test expects is written to the console as well, by the browser and by htmx.
        told = ("Failed to load resource", "Response Status Error Code")
        if message.type == "error" and not any(text in message.text for text in told):
            self.problems.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected and not response.url.endswith("/favicon.ico"):
            self.problems.append(f"{response.status}: {response.url}")

    def log_in(self, username: str, password: str) -> None:
        """Log in by the admin's own page."""
        self.page.goto("/admin/login/")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", password)
        self.page.press("#id_password", "Enter")
        self.page.wait_for_url("**/admin/")

    def open(self, path: str = LIST) -> "Visitor":
        """Go to a page."""
        self.page.goto(path)
        return self

    def refresh_every(self, seconds: int) -> None:
        """Choose how often the page brings itself up to date; 0 = never."""
        self.page.locator(f"input[name=refresh][value='{seconds}']").check(force=True)

    def mark(self) -> None:
        """Remember this very page: a reload would forget it."""
        self.page.evaluate("window.mark = 'the same page'")

    def sees_the_same_page(self) -> bool:
        """Whether the page was not loaded again since `mark`."""
        return bool(self.page.evaluate("window.mark === 'the same page'"))

    def row(self, task_id: str) -> Locator:
        """The line of a task in the list."""
        return self.page.locator(f"#row-{task_id}")

    def rows(self) -> list[str]:
        """The ids of the tasks in the list, from the top down."""
        found: list[str] = self.page.eval_on_selector_all("#tasks tr[data-task]", "rows => rows.map(row => row.dataset.task)")
        return found

    def open_all(self, selector: str) -> None:
        """Open everything of the page that opens."""
        self.page.evaluate("selector => { for (const details of document.querySelectorAll(selector)) details.open = true; }", selector)

    def status(self) -> Locator:
        """The status in a task page's head."""
        return self.page.locator("#task-head .status")

    def axe(self) -> list[Any]:
        """Return what the accessibility checker calls serious or worse."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [(each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"]) for each in found if each["impact"] in ("serious", "critical")]
