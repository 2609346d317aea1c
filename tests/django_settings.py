"""The settings of Django in tests. Importing some of its packages reads settings already."""

from __future__ import annotations

ALLOWED_HOSTS = ["*"]
DATABASES: dict[str, object] = {}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_spectacular",
    "bearerguard.django",
]
LOGGING_CONFIG = None
MIDDLEWARE: list[str] = []
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
ROOT_URLCONF = "tests.doors_under_test.django_site"
SECRET_KEY = "a secret of tests, which signs nothing that anybody keeps"
SPECTACULAR_SETTINGS = {"TITLE": "shop", "VERSION": "1"}
USE_TZ = True
