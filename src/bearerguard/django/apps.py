"""`"bearerguard.django"` in `INSTALLED_APPS`: has `manage.py check` look at the setting `BEARERGUARD`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core import checks

from bearerguard.django.settings import NAME, read

if TYPE_CHECKING:

    class AppConfig:
        """As much of Django's as is used here: Django comes without types."""

else:
    from django.apps import AppConfig

__all__ = ["BearerguardConfig"]

_MIDDLEWARE = "bearerguard.django.Middleware"
_ANONYMOUS = "django.contrib.auth.models.AnonymousUser"
_LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


class BearerguardConfig(AppConfig):
    """Registers the check."""

    name = "bearerguard.django"
    label = "bearerguard"

    def ready(self) -> None:
        """Have the check run with all others of the site."""
        checks.register(check_settings)


def check_settings(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001 - Django's
    """Return what is wrong with the setting, each error with a stable id; fetches nothing."""
    given = getattr(settings, NAME, None)
    has_middleware = _MIDDLEWARE in settings.MIDDLEWARE
    if given is None and not has_middleware:
        return []
    problems = read(given)[1]
    found: list[checks.CheckMessage] = [
        checks.Error(problem.message, id=f"bearerguard.{problem.id}") for problem in problems
    ]
    if has_middleware and _LOGIN_REQUIRED in settings.MIDDLEWARE:
        found.append(
            checks.Warning(
                f"MIDDLEWARE has {_MIDDLEWARE} and LoginRequiredMiddleware, which sends a request that has a "
                "token and no session to the login page: protect the views with @guard.requires(...), or "
                "decorate them with @login_not_required.",
                id="bearerguard.W001",
            )
        )
    if _has_no_anonymous_user():
        found.append(
            checks.Warning(
                "REST framework makes an AnonymousUser for each request without a token, but "
                "INSTALLED_APPS has no django.contrib.auth, so such a request ends in an error: write "
                "REST_FRAMEWORK = {'UNAUTHENTICATED_USER': None}, or install django.contrib.auth and "
                "django.contrib.contenttypes.",
                id="bearerguard.W002",
            )
        )
    return found


def _has_no_anonymous_user() -> bool:
    said = getattr(settings, "REST_FRAMEWORK", {}).get("UNAUTHENTICATED_USER", _ANONYMOUS)
    return (
        apps.is_installed("rest_framework")
        and not apps.is_installed("django.contrib.auth")
        and said == _ANONYMOUS
    )
