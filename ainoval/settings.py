"""Django settings: one file; everything that varies comes from the environment through `ainoval.env`."""

import os
from pathlib import Path

import dj_database_url

from ainoval import logs
from ainoval.api.conf import REST_FRAMEWORK, SPECTACULAR_SETTINGS, simple_jwt
from ainoval.env import read_environment

BASE_DIR = Path(__file__).resolve().parent.parent

AINOVAL = read_environment(os.environ)

SECRET_KEY = AINOVAL.secret_key()
DEBUG = AINOVAL.django_debug
ALLOWED_HOSTS = [*AINOVAL.django_allowed_hosts] or ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "tasks_app",  # before django_q: its `qcluster` command is ours
    "ainoval.accounts",
    "ainoval.novels",
    "ainoval.ai",
    "django_q",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",  # its scripts and template tag; the console needs no middleware of it
    "ainoval.admin_site.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "ainoval.api.problem.problem_middleware",  # outermost: whatever fails below, the API answers with a problem document
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "ainoval.pages.PageLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ainoval.pages.DatabaseOutageMiddleware",
]

ROOT_URLCONF = "ainoval.urls"
WSGI_APPLICATION = "ainoval.wsgi.application"
ASGI_APPLICATION = "ainoval.asgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Django's own tables: users, sessions, the token blacklist, django-q2's schedules. IMMEDIATE: a reader that becomes a writer in the middle of a
# transaction would otherwise fail at once with "database is locked", whatever the time-out.
_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
if AINOVAL.database_url:
    DATABASES = {"default": dj_database_url.parse(AINOVAL.database_url.get_secret_value(), conn_max_age=60)}
    if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        DATABASES["default"]["OPTIONS"] = _SQLITE_OPTIONS
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(AINOVAL.data_dir / "django.sqlite3"),
            "OPTIONS": _SQLITE_OPTIONS,
            "CONN_MAX_AGE": 60,
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "static/"
STATIC_ROOT = AINOVAL.folder("static")  # whitenoise warns of one that is not there
# Served from the installed packages by the application itself: no collectstatic step, no second server, no CDN.
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK = REST_FRAMEWORK
SPECTACULAR_SETTINGS = SPECTACULAR_SETTINGS
SIMPLE_JWT = simple_jwt(SECRET_KEY, AINOVAL.jwt_signing_key.get_secret_value() if AINOVAL.jwt_signing_key else None)

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # django-q2 keeps the cluster's state here, and it is read from other processes than the one that writes it.
    "cluster": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": AINOVAL.data_dir / "cluster",
    },
}

Q_CLUSTER = {
    "name": "ainoval",
    "broker_class": "tasks_app.worker.broker.MongoBroker",
    "cache": "cluster",
    "workers": AINOVAL.tasks_workers,
    "guard_cycle": 0.5,
    "poll": 1.0,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 3,
    "save_limit": 250,
    "catch_up": False,
    "label": "Schedules",
}

LOGGING_CONFIG = None
logs.configure(AINOVAL.ainoval_log_format, AINOVAL.ainoval_log_level)
