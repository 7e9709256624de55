"""A Django project that has nothing but stock django-q2, on Redis, or on MongoDB where BENCH_MONGO names one."""

import os
from typing import Any

SECRET_KEY = "only for benchmarks"  # noqa: S105
INSTALLED_APPS = ["django.contrib.contenttypes", "django_q"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_SQLITE"], "OPTIONS": {"timeout": 20}}}
USE_TZ = True
Q_CLUSTER: dict[str, Any] = {
    "name": "bench",
    "workers": int(os.environ.get("BENCH_SLOTS", "2")),
    "timeout": 60,
    "retry": 120,
    "queue_limit": 200,
    "save_limit": -1,
    "log_level": "WARNING",
}
if "BENCH_MONGO" in os.environ:
    Q_CLUSTER |= {"mongo": {"host": os.environ["BENCH_MONGO"]}, "mongo_db": "peers"}
else:
    Q_CLUSTER |= {"redis": os.environ["BENCH_REDIS"]}
