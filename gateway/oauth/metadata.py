"""What this authorization server offers (RFC 8414, OpenID Connect Discovery): only what exists."""

from typing import Any, Final

from gateway.authorization.domain import AUTHORIZATION_PATH, PUSHED_PATH
from gateway.oauth.domain import (
    INTROSPECTION_PATH,
    KEYS_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
)
from gateway.registrations.domain import AUTH_METHOD, GRANT_TYPES, SCOPES
from gateway.registrations.statements import REGISTRATION_PATH
from gateway.tokens.jose import ALGORITHMS

METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
#: What the bank signs for clients in.
SIGNED_IN: Final = ("PS256", "ES256")
ID_TOKEN_CLAIMS: Final = ("iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "nonce", "at_hash")


def metadata(issuer: str) -> dict[str, Any]:
    """The one document of both well-known places."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZATION_PATH,
        "pushed_authorization_request_endpoint": issuer + PUSHED_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "introspection_endpoint": issuer + INTROSPECTION_PATH,
        "revocation_endpoint": issuer + REVOCATION_PATH,
        "registration_endpoint": issuer + REGISTRATION_PATH,
        "jwks_uri": issuer + KEYS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "jwt", "query.jwt"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "require_pushed_authorization_requests": True,
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_signed_request_object": False,
        "request_object_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_signing_alg_values_supported": list(SIGNED_IN),
        "introspection_signing_alg_values_supported": list(SIGNED_IN),
        "token_endpoint_auth_methods_supported": [AUTH_METHOD],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": [AUTH_METHOD],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [AUTH_METHOD],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": list(SIGNED_IN),
        "acr_values_supported": ["urn:tongbao:password", "urn:tongbao:passkey"],
        "claims_supported": [*ID_TOKEN_CLAIMS, "openbanking_intent_id"],
        "claims_parameter_supported": True,
        "prompt_values_supported": ["login", "consent"],
        "ui_locales_supported": ["zh", "en"],
        "service_documentation": issuer + "/v1/openapi.json",
    }
