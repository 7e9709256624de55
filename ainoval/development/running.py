"""`manage.py dev`: everything in one terminal, until Ctrl-C."""

import json
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from django.conf import settings

from ainoval import mongo, mongod
from ainoval.commands import counted
from ainoval.development.client import Api, ApiError
from ainoval.development.novels import Novel, find_or_import, read_scenes, samples
from ainoval.development.preparation import only_one, prepare_databases, prepare_users, release
from ainoval.development.screen import Screen
from ainoval.development.stack import ChildDied, Stack, local_url
from ainoval.development.stop_signals import StopSignals
from ainoval.development.summaries import A_FEW, summarise
from ainoval.development.users import ADMIN, DEMO, PASSWORD_FILE, ROLES, Login
from ainoval.mongod.ports import is_free

DEMO_SECONDS = 120.0
WATCH_SECONDS = 0.2


class PortTaken(Exception):
    """Somebody listens where our server should."""


def run(screen: Screen, passwords: Mapping[str, str], *, demo: bool = True) -> bool:
    """Start everything, show the main job, and stay until a signal comes; then stop everything.

    Args:
        passwords: For the users of these names, instead of generated ones.
        demo: Summarise the sample novels at the start.

    Returns:
        False if a child had ended by itself.
    """
    env = settings.AINOVAL
    env.data_dir.mkdir(parents=True, exist_ok=True)
    stack = Stack(env.data_dir, screen.child)
    with only_one(env.data_dir, local_url(env.port)), StopSignals() as signals:
        if not is_free(env.port):
            raise PortTaken(f"Port {env.port} is in use by another program: choose another, as in AINOVAL_PORT={_another(env.port)}.")
        died: ChildDied | None = None
        try:
            _serve(screen, stack, passwords, demo=demo)
        except KeyboardInterrupt:
            with suppress(OSError):  # the terminal may be gone
                screen.line()
                screen.line("Stopping …", "dim")
        except ChildDied as exc:
            died = exc
            _explain(screen, exc)
        finally:
            signals.hold()
            _stop(screen, stack, lambda: signals.hurry)
        if not died:
            with suppress(OSError):
                screen.line("Stopped. The data stays in " + str(env.data_dir), "dim")
    return died is None


def _serve(screen: Screen, stack: Stack, passwords: Mapping[str, str], *, demo: bool) -> None:
    screen.line("AINoval: background tasks for AI writing", "bold")
    env, url = settings.AINOVAL, local_url(settings.AINOVAL.port)
    migrations = prepare_databases()
    screen.fact("MongoDB", "yours (MONGODB_URI)" if env.mongodb_uri else f"its own, in {env.data_dir / 'mongod'}")
    screen.fact("Tables", f"{counted(migrations, 'migration')} applied" if migrations else "up to date")
    stack.start_server(env.port)
    stack.start_workers()
    logins = prepare_users(ROLES, passwords)  # hashing takes a while, and so does the children's start
    stack.wait_ready(url)
    screen.fact("Server", url)
    screen.fact("Workers", counted(env.tasks_workers, "process", "processes"))
    screen.fact("Logs", f"{env.data_dir / 'logs'} (warnings and errors are shown here, too)")

    def check() -> None:
        stack.check()
        _keep_mongod(screen)

    with Api(url, logins[DEMO], between=check) as api:
        novels = [find_or_import(api, file) for file in samples()]
        if demo:
            _show_main_job(screen, check, api, novels)
        _invite(screen, url, logins, _a_scene(api, novels))
    screen.line()
    screen.line(f"Ready: {url}/api/docs (Ctrl-C stops everything)", "bold green")
    while True:
        check()
        time.sleep(WATCH_SECONDS)


def _keep_mongod(screen: Screen) -> None:
    """Start our own MongoDB again when it has ended: server and workers find the next one where it was, but start none."""
    env = settings.AINOVAL
    if env.mongodb_uri is not None or mongod.running_pid(env.data_dir) is not None:
        return
    if not (env.data_dir / "mongod").is_dir():
        return  # somebody has deleted the data: an empty database in its place would only hide that
    if mongod.ensure_running(env.data_dir) == mongo.uri():
        screen.line("MongoDB had ended, and was started again.", "yellow")
    else:
        screen.problem("MongoDB had ended, and another program has its port: it runs on a new one. Stop everything with Ctrl-C, and start it again.")


def _show_main_job(screen: Screen, check: Callable[[], None], api: Api, novels: list[Novel]) -> None:
    screen.heading("Summarising the sample novels, over HTTP")
    try:
        if summarise(api, novels, screen, check, A_FEW, seconds=DEMO_SECONDS) is None:
            screen.line(f"It takes longer than {DEMO_SECONDS:.0f} s and goes on in the background: see GET /api/tasks.", "yellow")
    except ApiError as exc:
        # Everything else may work: whoever develops wants the server to stay.
        screen.problem(f"The demonstration failed: {exc}")


def _a_scene(api: Api, novels: list[Novel]) -> str | None:
    return next((scene.scene_id for novel in novels for scene in read_scenes(api, novel)), None)


def _invite(screen: Screen, url: str, logins: Mapping[str, Login], scene_id: str | None) -> None:
    screen.heading("Look")
    screen.fact("API", f"{url}/api/docs")
    screen.fact("Admin", f"{url}/admin/")
    screen.fact("Health", f"{url}/health/ready")
    screen.heading(f"Log in (kept in {settings.AINOVAL.data_dir / PASSWORD_FILE})")
    for name, role in ((DEMO, "a writer, for the API"), (ADMIN, "staff, for the admin")):
        screen.fact(name, f"{logins[name].password}   {role}")
    screen.heading("Try (get a token, summarise a scene, see your tasks)")
    for line in curl_lines(url, logins[DEMO], scene_id):
        screen.line(line)


def curl_lines(url: str, login: Login, scene_id: str | None) -> list[str]:
    """Return commands for a POSIX shell: get a token, submit a task, list tasks. The later ones need the first one's variable."""
    as_json = "-H 'Content-Type: application/json'"
    authorized = '-H "Authorization: Bearer $TOKEN"'
    credentials = shlex.quote(json.dumps({"username": login.username, "password": login.password}))
    token = f"""TOKEN=$(curl -s {url}/api/auth/token {as_json} -d {credentials} | sed 's/.*"access": *"\\([^"]*\\)".*/\\1/')"""
    listing = f"curl -sw '\\n' {url}/api/tasks {authorized}"
    if scene_id is None:
        return [token, listing]
    parameters = shlex.quote(json.dumps({"sceneId": scene_id}))
    return [token, f"curl -sw '\\n' {url}/api/tasks/generate-summary {authorized} {as_json} -d {parameters}", listing]


def _explain(screen: Screen, died: ChildDied) -> None:
    screen.line()
    screen.problem(f"{died} Everything is stopped. The end of {died.child.log}:")
    for line in died.last_lines:
        screen.line(f"  {line}", "dim")


def _stop(screen: Screen, stack: Stack, hurry: Callable[[], bool]) -> None:
    def waiting(seconds: float) -> None:
        with suppress(OSError):
            screen.line(f"Running tasks may take up to {seconds:.0f} s to end; Ctrl-C again ends them now, and they run again later.", "dim")

    try:
        stack.stop(hurry, waiting)
    finally:
        release()


def _another(port: int) -> int:
    return next((other for other in range(port + 1, min(port + 100, 65535)) if is_free(other)), port + 1)
