"""Pages from templates: what every page has around it, and how numbers and times are written."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cv_pipeline.inspector.access.access import NOBODY, Access
from cv_pipeline.inspector.navigation import navigation
from cv_pipeline.inspector.static_files import modules, static

SHORT = 12
"""Characters that a digest is shown with."""


def render_page(
    request: Request, template: str, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page.

    Args:
        request: what it answers.
        template: name of the template below ``templates``.
        status: HTTP status.
        **values: what the template shows; a page's result is ``view``.
    """
    access: Access = getattr(request.state, "access", NOBODY)
    project = request.path_params.get("project")
    html = (
        _environment()
        .get_template(template)
        .render(
            request=request,
            path=request.url.path,
            access=access,
            project=project,
            sections=navigation(access, project),
            theme=_theme(request),
            workspace=request.app.state.workspace,
            **values,
        )
    )
    return HTMLResponse(html, status_code=status)


def load_template(template: str) -> None:
    """Compile a template now, which the first page that is written with it does otherwise."""
    _environment().get_template(template)


def _theme(request: Request) -> str:
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in ("light", "dark") else "auto"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cv_pipeline.inspector"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": short,
        "count": count,
        "number": number,
        "percent": percent,
        "moment": moment,
        "ago": ago,
        "duration": duration,
        "size": size,
        "plural": plural,
        "query": query_string,
        "segment": lambda text: quote(str(text), safe=""),
    }
    environment.globals |= {"static": static, "modules": modules}
    return environment


def short(digest: str | None) -> str:
    """The first characters of a digest."""
    return (digest or "–")[:SHORT]


def count(value: float | None) -> str:
    """A count with thousands separated."""
    return "–" if value is None else f"{value:,.0f}"


def number(value: float | None, digits: int = 3) -> str:
    """A number with some digits after the point."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A share of 1 as per cent."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def moment(value: datetime | str | None) -> str:
    """A time in UTC, to the minute."""
    if value is None:
        return "–"
    return f"{_aware(value):%Y-%m-%d %H:%M}"


def ago(value: datetime | str | None) -> str:
    """How long ago a time was, in words."""
    if value is None:
        return "–"
    seconds = (datetime.now(UTC) - _aware(value)).total_seconds()
    if seconds < 60:
        return "just now"
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{plural(int(seconds // length), unit)} ago"
    raise AssertionError(seconds)


def duration(seconds: float | None) -> str:
    """A length of time."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def size(value: float | None) -> str:
    """A number of bytes."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def plural(number_of: int, noun: str) -> str:
    """A count with its noun: ``1 image``, ``2 images``, ``3 batches``."""
    ending = "es" if noun.endswith(("s", "x", "ch")) else "s"
    return f"{number_of:,} {noun}{'' if number_of == 1 else ending}"


def query_string(values: dict[str, Any]) -> str:
    """Parameters of an address; those without a value are left out."""
    kept = {k: v for k, v in values.items() if v not in (None, "", [], ())}
    return urlencode(kept, doseq=True)


def _aware(value: datetime | str) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
