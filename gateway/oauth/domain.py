"""The authorization server's rules: what it offers, what a request must say, how it refuses."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.tokens.assertions import ASSERTION_TYPE
from gateway.tokens.jose import ALGORITHMS
from shared.kit.problems import BankError

#: What a token may allow: creating and reading consents, making and reading payments.
SCOPES: Final = ("consents", "payments")
TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path
KEYS_PATH: Final = "/oauth2/jwks"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"


class OAuthError(BankError):
    """Rendered as RFC 6749 (5.2) says: `error` is the code, `error_description` the detail."""

    error: str = "invalid_request"
    status = 400


class TokenRequestRefused(OAuthError):
    code, title = "oauth_invalid_request", "The token request is not as RFC 6749 has it"
    error = "invalid_request"


class ClientRefused(OAuthError):
    status, code, title = 401, "oauth_invalid_client", "The client is not authenticated"
    error = "invalid_client"


class GrantTypeRefused(OAuthError):
    code, title = "oauth_unsupported_grant_type", "This grant type does not exist here"
    error = "unsupported_grant_type"


class ScopeRefused(OAuthError):
    code, title = "oauth_invalid_scope", "A scope is not known"
    error = "invalid_scope"


class ProofRefused(OAuthError):
    code, title = "oauth_invalid_dpop_proof", "The DPoP proof does not hold"
    error = "invalid_dpop_proof"


class TooManyTokens(OAuthError):
    status, code, title = 429, "oauth_too_many_requests", "Too many requests"
    error = "temporarily_unavailable"


class TokenRefused(BankError):
    status, code, title = 401, "invalid_token", "The access token does not hold"


class CallProofRefused(BankError):
    status, code, title = 401, "invalid_dpop_proof", "The DPoP proof does not hold"


class ScopeMissing(BankError):
    status, code, title = 403, "insufficient_scope", "The token does not allow this"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A client-credentials request in form."""

    assertion: str
    client_id: str | None
    scopes: tuple[str, ...]


def read_token_request(fields: Mapping[str, list[str]]) -> TokenRequest:
    """Checks the form of a token request. Raises the `OAuthError` that says what is wrong."""
    repeated = sorted(name for name, values in fields.items() if len(values) > 1)
    if repeated:
        raise TokenRequestRefused(f"{repeated[0]} was sent more than once")
    # A parameter without a value counts as absent (RFC 6749, 3.2).
    given = {name: values[0] for name, values in fields.items() if values[0]}
    if "grant_type" not in given:
        raise TokenRequestRefused("grant_type is missing")
    if given["grant_type"] != "client_credentials":
        raise GrantTypeRefused("grant_type must be client_credentials")
    if "client_secret" in given:
        raise ClientRefused("Client secrets do not exist here: use private_key_jwt")
    if given.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in given:
        raise ClientRefused(f"client_assertion is needed, of type {ASSERTION_TYPE}")
    return TokenRequest(
        assertion=given["client_assertion"],
        client_id=given.get("client_id"),
        scopes=read_scopes(given.get("scope")),
    )


def read_scopes(scope: str | None) -> tuple[str, ...]:
    """The scopes asked for, in our order; all of them where none is named. `ScopeRefused`."""
    if scope is None:
        return SCOPES
    asked = set(scope.split(" "))
    if not asked <= set(SCOPES):
        raise ScopeRefused(f"scope may name: {' '.join(SCOPES)}")
    return tuple(known for known in SCOPES if known in asked)


def used_id_hash(*, kind: str, owner: str, jti: str) -> bytes:
    """Under what a `jti` is remembered: its owner cannot collide with another's, long or short."""
    digest = hashlib.sha256()
    for part in (kind, owner, jti):
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.digest()


def metadata(issuer: str) -> dict[str, Any]:
    """RFC 8414: only what exists."""
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + KEYS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "ui_locales_supported": ["zh", "en"],
        "service_documentation": issuer + "/v1/openapi.json",
    }


def challenge(error: str | None, description: str = "") -> str:
    """The `WWW-Authenticate` of a 401 or 403 (RFC 9449, 7.1)."""
    parts = [f'algs="{" ".join(ALGORITHMS)}"']
    if error:
        parts += [f'error="{error}"', f'error_description="{_plain(description)}"']
    return "DPoP " + ", ".join(parts)


def _plain(text: str) -> str:
    """Only what RFC 6750 (3) lets stand inside the quotes."""
    return "".join(c for c in text if " " <= c <= "~" and c not in '"\\')
