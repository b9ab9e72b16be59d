"""Authorization requests: what a client may push, and how it is answered. No I/O."""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from gateway.oauth.domain import OAuthError
from gateway.registrations.domain import Client, known_scopes

AUTHORIZATION_PATH: Final = "/oauth2/authorize"
PUSHED_PATH: Final = "/oauth2/par"
REQUEST_URI_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
#: RFC 9126 (2.2) has 5 to 600 s: long enough for the way of a browser from client to bank.
REQUEST_LIFETIME: Final = timedelta(seconds=90)
#: How long a customer may look at the pages after signing in.
SESSION_LIFETIME: Final = timedelta(minutes=15)
#: What a customer can allow; the rest of the scopes is for clients alone.
GRANTABLE: Final = frozenset({"openid", "accounts", "payments"})
MAX_STATE: Final = 2_048
MAX_NONCE: Final = 1_024
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_INTENT: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
#: What stays outside of a signed request object: who asks and how it is authenticated.
_OUTSIDE: Final = frozenset({"request", "client_id", "client_assertion", "client_assertion_type"})


class PushRefused(OAuthError):
    code, title = "oauth_invalid_authorization_request", "The authorization request does not hold"
    error = "invalid_request"


class ResponseTypeRefused(OAuthError):
    code, title = "oauth_unsupported_response_type", "This response type does not exist here"
    error = "unsupported_response_type"


class RequestObjectRefused(OAuthError):
    code, title = "oauth_invalid_request_object", "The signed request object does not hold"
    error = "invalid_request_object"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request in form, of a client that was authenticated when it pushed it."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str
    state: str | None
    nonce: str | None
    #: The consent that the request is about; None where it names none.
    intent_id: str | None
    #: Whether the answer comes as a signed object (JARM).
    is_signed_response: bool
    #: The key that the code will be bound to.
    dpop_jkt: str | None
    lang: Literal["zh", "en"] | None

    def stored(self) -> dict[str, Any]:
        return {**asdict(self), "scopes": list(self.scopes)}


def restored(values: Mapping[str, Any]) -> AuthorizationRequest:
    return AuthorizationRequest(**{**values, "scopes": tuple(values["scopes"])})


@dataclass(frozen=True, slots=True)
class PageSession:
    """A customer who signed in to decide on one request."""

    customer_id: str
    method: Literal["password", "passkey"]
    signed_in_at: datetime
    #: What confirms payee and amount: a code that was sent, or a challenge to a passkey.
    challenge_id: UUID | None
    expires_at: datetime

    @property
    def acr(self) -> str:
        return f"urn:tongbao:{self.method}"


def outside_of(given: Mapping[str, str], *, client: Client) -> None:
    """What must hold before a request is looked into. Raises `PushRefused`."""
    if "request_uri" in given:
        raise PushRefused("request_uri does not belong into a pushed request")
    if given.get("client_id", client.client_id) != client.client_id:
        raise PushRefused("client_id names another client than the assertion")
    if client.options.signed_requests and "request" not in given:
        raise PushRefused("This client sends its requests signed: request is missing")


def unsigned_parameters(given: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in _OUTSIDE}


def read_request(
    parameters: Mapping[str, Any], *, client: Client, proof_jkt: str | None
) -> AuthorizationRequest:
    """Checks a request's parameters. `proof_jkt` is the key of the proof that came with it.

    Raises the `OAuthError` that says what is wrong.
    """
    _check_response(parameters)
    redirect_uri = _text(parameters, "redirect_uri", longest=500)
    if redirect_uri is None:
        raise PushRefused("redirect_uri is missing")
    # Exactly as registered: a prefix or a pattern would make an open redirect.
    if redirect_uri not in client.redirect_uris:
        raise PushRefused("redirect_uri is not registered for this client")
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scopes=_scopes(parameters, client),
        code_challenge=_challenge(parameters),
        state=_text(parameters, "state", longest=MAX_STATE),
        nonce=_text(parameters, "nonce", longest=MAX_NONCE),
        intent_id=_intent(parameters),
        is_signed_response=parameters.get("response_mode") in {"jwt", "query.jwt"},
        dpop_jkt=_bound_key(parameters, proof_jkt),
        lang=_language(parameters),
    )


def _check_response(parameters: Mapping[str, Any]) -> None:
    if "response_type" not in parameters:
        raise PushRefused("response_type is missing")
    if parameters["response_type"] != "code":
        raise ResponseTypeRefused("response_type must be code")
    if parameters.get("response_mode") not in {None, "query", "jwt", "query.jwt"}:
        raise PushRefused("response_mode must be query or jwt")
    if "none" in str(parameters.get("prompt", "")).split():
        raise PushRefused("prompt=none cannot be met: the customer signs in for every request")
    if "authorization_details" in parameters:
        raise PushRefused("authorization_details are not offered here")


def _text(parameters: Mapping[str, Any], name: str, *, longest: int) -> str | None:
    value = parameters.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > longest:
        raise PushRefused(f"{name} must be text of at most {longest} characters")
    return value


def _scopes(parameters: Mapping[str, Any], client: Client) -> tuple[str, ...]:
    asked = (_text(parameters, "scope", longest=500) or "").split()
    scopes = known_scopes(asked)
    if not scopes or not set(scopes) <= GRANTABLE & set(client.scopes):
        refused = PushRefused(f"scope may name: {' '.join(sorted(GRANTABLE & set(client.scopes)))}")
        refused.error = "invalid_scope"
        raise refused
    return scopes


def _challenge(parameters: Mapping[str, Any]) -> str:
    challenge = parameters.get("code_challenge")
    if parameters.get("code_challenge_method") != "S256":
        raise PushRefused("code_challenge_method must be S256")
    if not isinstance(challenge, str) or not _HASH.fullmatch(challenge):
        raise PushRefused("code_challenge must be the SHA-256 of a verifier, in base64url")
    return challenge


def _bound_key(parameters: Mapping[str, Any], proof_jkt: str | None) -> str | None:
    named = parameters.get("dpop_jkt")
    if named is None:
        return proof_jkt
    if not isinstance(named, str) or not _HASH.fullmatch(named):
        raise PushRefused("dpop_jkt must be the thumbprint of a key (RFC 7638)")
    if proof_jkt is not None and not hmac.compare_digest(proof_jkt, named):
        raise PushRefused("dpop_jkt is not the key of the DPoP proof")
    return named


def _intent(parameters: Mapping[str, Any]) -> str | None:
    """The consent's id, as a parameter or as the claim of UK Open Banking."""
    found = {parameters.get("openbanking_intent_id")} - {None}
    claims = parameters.get("claims")
    if claims is not None:
        found |= _claimed_intents(_claims_object(claims))
    if len(found) > 1:
        raise PushRefused("openbanking_intent_id names two consents")
    for intent in found:
        if not isinstance(intent, str) or not _INTENT.fullmatch(intent):
            raise PushRefused("openbanking_intent_id is not the id of a consent")
        return intent
    return None


def _claims_object(claims: Any) -> dict[str, Any]:
    """The `claims` parameter: an object inside a request object, text in a form."""
    try:
        parsed = json.loads(claims) if isinstance(claims, str) else claims
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise PushRefused("claims must be a JSON object")
    return parsed


def _claimed_intents(claims: dict[str, Any]) -> set[Any]:
    found = set()
    for place in ("id_token", "userinfo"):
        members = claims.get(place)
        wanted = members.get("openbanking_intent_id") if isinstance(members, dict) else None
        if isinstance(wanted, dict) and wanted.get("value") is not None:
            found.add(str(wanted["value"]))
    return found


def _language(parameters: Mapping[str, Any]) -> Literal["zh", "en"] | None:
    """The first of the client's wishes that we speak."""
    for tag in str(parameters.get("ui_locales", "")).split():
        primary = tag.partition("-")[0].lower()
        if primary == "zh":
            return "zh"
        if primary == "en":
            return "en"
    return None


def request_hash(request_uri: str) -> bytes:
    """Under what a pushed request is stored: its name is a secret of client and browser."""
    return sha256(request_uri.encode(errors="surrogatepass")).digest()


def session_hash(cookie: str) -> bytes:
    return sha256(b"authorization:" + cookie.encode(errors="surrogatepass")).digest()


def csrf_token(cookie: str, *, request_uri: str) -> str:
    """What a form carries: only who holds the (HttpOnly) cookie can know it."""
    return hmac.new(cookie.encode(), f"csrf:{request_uri}".encode(), sha256).hexdigest()


def answer_url(redirect_uri: str, parameters: Mapping[str, str]) -> str:
    """The client's own address, its query kept, with the answer in the query."""
    parts = urlsplit(redirect_uri)
    answer = urlencode(parameters)
    query = f"{parts.query}&{answer}" if parts.query else answer
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
