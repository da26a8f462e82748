"""The API keeps to its own description, whatever is sent to it."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from cv_pipeline.inspector.routes import API

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
PROJECT = "large"


def test_every_answer_is_as_described(inspected):
    """Whatever fits the description is asked, of this project and of others that do not exist."""
    client = inspected()
    schema = schemathesis.openapi.from_asgi(
        f"{API}/openapi.json", client.app, headers=dict(client.headers)
    )
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def ask(case):
            nonlocal asked
            if "project" in case.path_parameters:
                case.path_parameters["project"] = PROJECT
            response = case.call(headers=dict(client.headers))
            case.validate_response(response, checks=CHECKS)
            asked += 1

        ask()
    assert asked >= 10
