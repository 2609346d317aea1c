"""What the example for FastAPI shows beyond the others: the document of its API."""

from __future__ import annotations

import httpx2
import pytest

from bearerguard.testing import Issuer


@pytest.mark.parametrize("api", ["fastapi_app"], indirect=True)
def test_its_document_has_the_flow_of_the_issuer(api: httpx2.Client, issuer: Issuer) -> None:
    flows = api.get("/openapi.json").json()["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["authorizationCode"]["authorizationUrl"] == issuer.authorization_endpoint
    assert flows["authorizationCode"]["tokenUrl"] == issuer.token_endpoint
