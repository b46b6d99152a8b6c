"""What the OpenAPI document says of the token road, where it is on."""

from typing import Any

from api.rest.components import TEXT, reference
from api.tokens.desk import PATH


def exchange_paths() -> dict[str, Any]:
    asked = {
        "type": "object",
        "properties": {
            "saml-token": {"type": "string", "description": "A SAML 2.0 assertion, as XML or base64 of it."}
        },
        "required": ["saml-token"],
    }
    given = {
        "type": "object",
        "properties": {
            "access_token": TEXT,
            "token_type": {"type": "string", "const": "Holder-of-key"},
            "expires_in": {"type": "integer", "description": "Seconds.", "minimum": 0},
        },
        "required": ["access_token", "token_type", "expires_in"],
        "additionalProperties": False,
    }
    refusals = {str(each): reference("responses", f"Refused{each}") for each in (400, 401, 403, 413, 415, 500, 503)}
    exchange = {
        "operationId": "exchange_token",
        "summary": "An access token for a SAML token, both for the holder of the client certificate",
        "tags": ["tokens"],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": asked}}},
        "responses": {
            "200": {
                "description": "To be sent as `Authorization: Holder-of-key TOKEN` with calls of the service.",
                "content": {"application/json": {"schema": given}},
            },
            **refusals,
        },
    }
    return {PATH: {"post": exchange}}
