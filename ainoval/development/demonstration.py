"""`manage.py demo`: the main job, end to end, over HTTP, with whatever of server and workers already runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from ainoval import mongo
from ainoval.development.client import Api, ApiError
from ainoval.development.novels import NovelFile, import_novel, read_file, samples
from ainoval.development.preparation import prepare_databases, prepare_users, release
from ainoval.development.screen import Screen
from ainoval.development.stack import Stack, local_url, ready_checks
from ainoval.development.stop_signals import StopSignals
from ainoval.development.summaries import Extract, summarise
from ainoval.development.users import DEMO, Login
from ainoval.mongod.ports import free_port
from tasks_app.waiting import waiting_facts


def demonstrate(screen: Screen, files: Sequence[Path], *, url: str | None, login: Login | None, extract: Extract) -> list[str]:
    """Import novels, have them summarised, show the summaries, check the counts.

    Args:
        files: Novels of one's own; the samples if empty.
        url: A server to use; otherwise the one of this installation, started if it does not run.
        login: A user there; otherwise the user `demo` of this installation.
        extract: Which summaries to show.

    Returns:
        What went wrong, in sentences; empty when all went well.

    Raises:
        ApiError: A file cannot be read, or the server refused; a login that was given is refused at once.
        ChildDied: The server or the workers that were started here ended.
    """
    novels = [read_file(path) for path in files] or samples()
    with StopSignals() as signals:
        if url is not None:
            assert login is not None  # noqa: S101 - the command has seen to it
            _check_remote(url)
            with Api(url, login, local=False) as api:
                api.log_in()  # before a file is read: the refusal is of the login
                return _perform(api, novels, screen, lambda: None, extract)
        with _local_server(screen, login, signals) as (api, stack):
            return _perform(api, novels, screen, stack.check, extract)


def _check_remote(url: str) -> None:
    checks = ready_checks(url, local=False)
    if checks is None:
        raise ApiError(f"No server of this project is ready at {url}: GET {url}/health/ready says more.")
    if not checks.get("workers"):
        raise ApiError(f"The server at {url} has no workers: start some there with `manage.py qcluster`.")


def _perform(api: Api, files: Sequence[NovelFile], screen: Screen, between: Callable[[], None], extract: Extract) -> list[str]:
    novels = []
    for file in files:
        novel = import_novel(api, file)
        screen.fact("Imported", f"{file.name}: {novel.title}, {len(novel.chapters):,} chapters (novel {novel.novel_id})")
        novels.append(novel)
    screen.heading("Summarising every scene")
    outcomes = summarise(api, novels, screen, between, extract)
    problems = [f"{one.batch.novel.title}: {problem}" for one in outcomes or () for problem in one.problems]
    if not problems:
        screen.line("All counts agree with the novels' scenes, as GET /api/novels/{id}/scenes lists them.", "green")
    return problems


@contextmanager
def _local_server(screen: Screen, login: Login | None, signals: StopSignals) -> Iterator[tuple[Api, Stack]]:
    env = settings.AINOVAL
    stack = Stack(env.data_dir, screen.child, prefix="demo-")
    try:
        prepare_databases()
        running = Api(local_url(env.port), login or prepare_users((DEMO,))[DEMO], between=stack.check)
        api = _logged_in(running, given=login is not None)
        if not mongo.run(waiting_facts()).workers:
            stack.start_workers()
        if api:
            screen.fact("Server", f"{api.url}, which runs already")
        else:
            port = free_port()
            stack.start_server(port)
            stack.wait_ready(local_url(port))
            api = Api(local_url(port), running.login, between=stack.check)
            api.log_in()
        if stack.children:
            names = " and ".join(child.name for child in stack.children)
            screen.fact("Started", f"{names}, until this is done (logs in {env.data_dir / 'logs'})")
        with api:
            yield api, stack
    finally:
        signals.hold()
        stack.stop(lambda: signals.hurry)
        release()


def _logged_in(api: Api, *, given: bool) -> Api | None:
    """Return a server that runs already, if it is one of this installation: it knows our user and the password.

    Args:
        given: Somebody has named the user: a refusal is then for them to read, and no sign of another installation.
    """
    try:
        if ready_checks(api.url) is not None:
            api.log_in()
            return api
    except ApiError:
        if given:
            raise
    api.close()
    return None
