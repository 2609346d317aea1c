"""The door for Django: views, sync and async, classes of views, whole sites.

`Guard` protects views by rules, `Middleware` a whole site. With `"bearerguard.django"` in `INSTALLED_APPS`,
`manage.py check` looks at what the setting `BEARERGUARD` says.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("django"):
    from bearerguard.django.guard import Guard
    from bearerguard.django.middleware import Middleware

__all__ = ["Guard", "Middleware"]
