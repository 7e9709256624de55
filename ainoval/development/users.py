"""The two users of a development installation, whose passwords are made once and kept beside the data."""

import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from ainoval.accounts.models import User

PASSWORD_FILE = "dev_passwords"  # noqa: S105 - a file's name
DEMO, ADMIN = "demo", "admin"
ROLES: Mapping[str, dict[str, bool]] = {DEMO: {"is_staff": False, "is_superuser": False}, ADMIN: {"is_staff": True, "is_superuser": True}}
PASSWORD_BYTES = 9


class ForeignUser(Exception):
    """A user of this name exists in a database that is not ours alone: its password is not changed without being asked."""


@dataclass(frozen=True, slots=True)
class Login:
    """A username and its password."""

    username: str
    password: str


def ensure_users(data_dir: Path, names: Collection[str], given: Mapping[str, str]) -> dict[str, Login]:
    """Make users if they are missing, and return how they log in.

    Args:
        data_dir: Keeps the passwords, in a file that nobody else may read.
        names: Which of `demo` (writer) and `admin` (staff).
        given: Passwords by username, instead of the kept or generated ones.

    Raises:
        ForeignUser: `DATABASE_URL` names a database where one of them exists, with a password that we do not know.
    """
    path = data_dir / PASSWORD_FILE
    kept = _read(path)
    logins = {name: Login(name, given.get(name) or kept.get(name) or secrets.token_urlsafe(PASSWORD_BYTES)) for name in names}
    if kept != (passwords := kept | {name: login.password for name, login in logins.items()}):
        _write(path, passwords)
    for name, login in logins.items():
        _ensure(login, may_change=settings.AINOVAL.database_url is None or name in given)
    return logins


def _ensure(login: Login, *, may_change: bool) -> None:
    roles = ROLES[login.username]
    user = User.objects.filter(username=login.username).first()
    if user is None:
        user = User(username=login.username, **roles)
        user.set_password(login.password)
        user.save()
        return
    as_wanted = user.is_active and all(getattr(user, role) == value for role, value in roles.items())
    if as_wanted and user.check_password(login.password):
        return
    if not may_change:
        raise ForeignUser(f"The user {login.username} exists in this database, with another password: give it with --{login.username}-password.")
    for role, value in (roles | {"is_active": True}).items():
        setattr(user, role, value)
    user.set_password(login.password)
    user.save()


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition(" ") for line in lines)
    return {name: password for name, _, password in pairs if name in ROLES and password}


def _write(path: Path, passwords: Mapping[str, str]) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name} {password}\n" for name, password in passwords.items())
    unfinished.replace(path)
