"""A look at the routes of a FastAPI application: whether each guard that is written stands where it should.

It decides nothing about a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ForwardRef

from fastapi import FastAPI

from bearerguard.errors import ConfigurationError

__all__ = ["check_annotations"]


def check_annotations(app: FastAPI) -> None:
    """Check that no parameter of a route has an annotation that FastAPI could not resolve.

    It takes such a parameter for one of the query: if it was to be a guard's, there is no guard.

    Raises:
        ConfigurationError: one has; it names the route, the parameter and what to write.
    """
    for route in _routes(app.router.routes):
        pending = [route.dependant]
        while pending:
            dependant = pending.pop()
            pending.extend(dependant.dependencies)
            for parameter in dependant.query_params:
                annotation = parameter.field_info.annotation
                if isinstance(annotation, str | ForwardRef):
                    text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
                    raise ConfigurationError(
                        f"The parameter {parameter.name!r} of the route {route.path!r} is annotated "
                        f"{text!r:.200}, which FastAPI cannot resolve: it would take it for a parameter of "
                        "the query, and a guard in it would guard nothing. Leave `from __future__ import "
                        "annotations` out of the module, or make every name in the annotation a global of it."
                    )


def _routes(routes: Iterable[Any]) -> Iterator[Any]:
    """Every route that has dependencies, those of included routers and of mounted applications too."""
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is not None:
            yield from _routes(included())
        elif getattr(route, "dependant", None) is not None:
            yield route
        else:
            yield from _routes(getattr(route, "routes", None) or ())
