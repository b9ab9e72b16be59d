"""The authorization server's rules: what it offers, what a request must say, how it refuses."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.tokens.assertions import ASSERTION_TYPE
from gateway.tokens.jose import ALGORITHMS
from shared.kit.problems import BankError

#: What a client gets for itself where its request names no scope.
DEFAULT_SCOPES: Final = ("consents", "payments")
#: What a client may ask for itself; `openid` alone speaks of a customer.
CLIENT_SCOPES: Final = ("consents", "payments", "accounts")
TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path
KEYS_PATH: Final = "/oauth2/jwks"
INTROSPECTION_PATH: Final = "/oauth2/introspect"
REVOCATION_PATH: Final = "/oauth2/revoke"
#: A verifier as RFC 7636 (4.1) has it.
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


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


class GrantRefused(OAuthError):
    code, title = "oauth_invalid_grant", "The code or the refresh token gives nothing"
    error = "invalid_grant"


class NonceMissing(OAuthError):
    code, title = "oauth_use_dpop_nonce", "The DPoP proof needs a nonce of this server"
    error = "use_dpop_nonce"


class TooManyTokens(OAuthError):
    status, code, title = 429, "oauth_too_many_requests", "Too many requests"
    error = "temporarily_unavailable"


class TokenRefused(BankError):
    status, code, title = 401, "invalid_token", "The access token does not hold"


class CallProofRefused(BankError):
    status, code, title = 401, "invalid_dpop_proof", "The DPoP proof does not hold"


class CallNonceMissing(BankError):
    status, code, title = 401, "use_dpop_nonce", "The DPoP proof needs a nonce of this server"


class ScopeMissing(BankError):
    status, code, title = 403, "insufficient_scope", "The token does not allow this"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client says who it is, at every endpoint that asks."""

    assertion: str
    client_id: str | None


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client acts for itself."""

    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeExchange:
    code: str
    redirect_uri: str | None
    verifier: str


@dataclass(frozen=True, slots=True)
class Refresh:
    refresh_token: str
    #: None for all that was granted.
    scopes: frozenset[str] | None


TokenRequest = ClientCredentials | CodeExchange | Refresh


def read_fields(fields: Mapping[str, list[str]]) -> dict[str, str]:
    """One value for each name; a parameter without a value counts as absent (RFC 6749, 3.2).

    Raises `TokenRequestRefused` for what was sent twice.
    """
    repeated = sorted(name for name, values in fields.items() if len(values) > 1)
    if repeated:
        raise TokenRequestRefused(f"{repeated[0]} was sent more than once")
    return {name: values[0] for name, values in fields.items() if values[0]}


def read_credentials(given: Mapping[str, str]) -> Credentials:
    """Raises `ClientRefused`: assertions are the one way to authenticate."""
    if "client_secret" in given:
        raise ClientRefused("Client secrets do not exist here: use private_key_jwt")
    if given.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in given:
        raise ClientRefused(f"client_assertion is needed, of type {ASSERTION_TYPE}")
    return Credentials(assertion=given["client_assertion"], client_id=given.get("client_id"))


def read_token_request(given: Mapping[str, str]) -> TokenRequest:
    """Checks the form of a token request. Raises the `OAuthError` that says what is wrong."""
    match given.get("grant_type"):
        case None:
            raise TokenRequestRefused("grant_type is missing")
        case "client_credentials":
            return ClientCredentials(scopes=read_scopes(given.get("scope")))
        case "authorization_code":
            return _read_exchange(given)
        case "refresh_token":
            if "refresh_token" not in given:
                raise TokenRequestRefused("refresh_token is missing")
            scope = given.get("scope")
            return Refresh(given["refresh_token"], frozenset(scope.split(" ")) if scope else None)
        case _:
            raise GrantTypeRefused(
                "grant_type must be authorization_code, refresh_token or client_credentials"
            )


def _read_exchange(given: Mapping[str, str]) -> CodeExchange:
    if "code" not in given:
        raise TokenRequestRefused("code is missing")
    verifier = given.get("code_verifier")
    if verifier is None:
        raise GrantRefused("code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier):
        raise GrantRefused("code_verifier does not belong to the code")
    return CodeExchange(given["code"], given.get("redirect_uri"), verifier)


def read_scopes(scope: str | None) -> tuple[str, ...]:
    """The scopes that a client asks for itself, in our order. Raises `ScopeRefused`."""
    if scope is None:
        return DEFAULT_SCOPES
    asked = set(scope.split(" "))
    if not asked <= set(CLIENT_SCOPES):
        raise ScopeRefused(f"scope may name: {' '.join(CLIENT_SCOPES)}")
    return tuple(known for known in CLIENT_SCOPES if known in asked)


def used_id_hash(*, kind: str, owner: str, jti: str) -> bytes:
    """Under what a `jti` is remembered: its owner cannot collide with another's, long or short."""
    digest = hashlib.sha256()
    for part in (kind, owner, jti):
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.digest()


def challenge(error: str | None, description: str = "") -> str:
    """The `WWW-Authenticate` of a 401 or 403 (RFC 9449, 7.1)."""
    parts = [f'algs="{" ".join(ALGORITHMS)}"']
    if error:
        parts += [f'error="{error}"', f'error_description="{_plain(description)}"']
    return "DPoP " + ", ".join(parts)


def _plain(text: str) -> str:
    """Only what RFC 6750 (3) lets stand inside the quotes."""
    return "".join(c for c in text if " " <= c <= "~" and c not in '"\\')
