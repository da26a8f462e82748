"""Registers what the inspector answers: each view once, as a page and as its JSON twin.

The twin of the page at ``/p/fruit`` is at ``/api/v1/p/fruit``. Every route declares the permission
that it needs, and there is no other way to register one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from cv_pipeline.inspector.access.access import needs
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.rendering import render_page

API = "/api/v1"
PERMISSION = "x-permission"

View = TypeVar("View", bound=Callable[..., Any])


class Routes:
    """Routes of one part of the inspector.

    Args:
        tag: heading of the part in the API's description.
    """

    def __init__(self, tag: str) -> None:
        self.router = APIRouter()
        self._tags: list[Any] = [tag]

    def page(self, path: str, *, template: str, permission: Permission) -> Callable[[View], View]:
        """Register a view as a page and as its JSON twin.

        Args:
            path: address of the page, below which the twin's is at ``/api/v1``.
            template: template of the page, which gets the view's result as ``view``.
            permission: what it needs.

        The view is a plain function that returns a pydantic model.
        """

        def register(view: View) -> View:
            self._add("GET", API + path, view, permission=permission, in_schema=True)
            page = _as_page(view, template)
            self._add("GET", path, page, permission=permission, in_schema=False)
            return view

        return register

    def api(
        self, method: str, path: str, *, permission: Permission, status: int = 200
    ) -> Callable[[View], View]:
        """Register what only programs and scripts of pages call; ``path`` is below ``/api/v1``."""

        def register(view: View) -> View:
            self._add(
                method, API + path, view, permission=permission, in_schema=True, status=status
            )
            return view

        return register

    def raw(
        self, method: str, path: str, *, permission: Permission, in_schema: bool = False
    ) -> Callable[[View], View]:
        """Register what answers with something else than a model: pictures, forms, redirects."""

        def register(view: View) -> View:
            self._add(
                method,
                path,
                view,
                permission=permission,
                in_schema=in_schema,
                response_class=Response,
                response_model=None,
            )
            return view

        return register

    def _add(
        self,
        method: str,
        path: str,
        view: Callable[..., Any],
        *,
        permission: Permission,
        in_schema: bool,
        status: int = 200,
        **more: Any,
    ) -> None:
        self.router.add_api_route(
            path,
            view,
            methods=[method],
            dependencies=[Depends(needs(permission))],
            include_in_schema=in_schema,
            status_code=status,
            openapi_extra={PERMISSION: permission.value},
            operation_id=f"{method.lower()}_{view.__name__}" if in_schema else None,
            tags=self._tags,
            **more,
        )


def _as_page(view: Callable[..., Any], template: str) -> Callable[..., Response]:
    """The view as a function that answers with HTML."""
    signature = inspect.signature(view, eval_str=True)
    request = inspect.Parameter("page_request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)

    @functools.wraps(view)
    def page(*args: Any, page_request: Request, **kwargs: Any) -> Response:
        return render_page(page_request, template, view=view(*args, **kwargs))

    page.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), request], return_annotation=Response
    )
    page.__annotations__ = {}
    return page
