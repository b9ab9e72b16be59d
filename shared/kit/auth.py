"""Internal calls carry a short-lived signed token that names caller, partner and customer.

Each service has its own Ed25519 keys and knows everybody's public ones. A key's id begins with
its service's name, so a service can only speak for itself. Identity alone speaks for staff.
"""

import json
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.kit.problems import Forbidden, Unauthenticated

ALGORITHM = "Ed25519"
LIFETIME_S = 60
#: A token is used again for the same call until so little of its life is left.
RENEW_BEFORE_S = 20
#: What the clocks of two machines may differ by.
LEEWAY_S = 5
STAFF_AUDIENCE = "tongbao"
STAFF_ISSUER = "identity"
STAFF_LIFETIME_S = 15 * 60
CACHE_SIZE = 10_000
MAX_TOKEN = 4_096

FileVersion = tuple[int, int]

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a service, for a partner, a customer or a member of staff."""

    service: str
    partner_id: str | None = None
    customer_id: str | None = None
    staff_id: str | None = None
    roles: tuple[str, ...] = ()


class KeyRing:
    """The keys in `keys_dir`: `<service>.json` (private, newest first) and `public.json`.

    Files are read again when they change, so that keys rotate without a restart.
    """

    def __init__(self, *, service: str, keys_dir: Path) -> None:
        self.service = service
        self._private_path = keys_dir / f"{service}.json"
        self._public_path = keys_dir / "public.json"
        self._private: tuple[FileVersion, OKPKey] | None = None
        self._public: tuple[FileVersion, dict[str, OKPKey]] | None = None
        self._looked_at = 0.0

    def signing_key(self) -> OKPKey:
        changed = _version(self._private_path)
        if self._private is None or self._private[0] != changed:
            newest = json.loads(self._private_path.read_text())["keys"][0]
            self._private = (changed, OKPKey.import_key(newest))
        return self._private[1]

    def public_key(self, kid: str) -> OKPKey | None:
        """The key of that id. The file is read again when it changed.

        It is looked at once a second, and at once for an unknown key: a rotation that published
        a moment ago signs already.
        """
        now = time.monotonic()
        if self._public is None or kid not in self._public[1] or now - self._looked_at > 1:
            self._looked_at = now
            changed = _version(self._public_path)
            if self._public is None or self._public[0] != changed:
                keys = json.loads(self._public_path.read_text())["keys"]
                self._public = (changed, {key["kid"]: OKPKey.import_key(key) for key in keys})
        return self._public[1].get(kid)


def _version(path: Path) -> FileVersion:
    """Changes with every replacement, however soon it follows another."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino


class Authenticator:
    """Signs tokens for this service's calls and checks those of others."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._signed: OrderedDict[tuple[str, Caller], tuple[str, float, OKPKey]] = OrderedDict()
        self._seen: OrderedDict[str, tuple[Caller, float, OKPKey]] = OrderedDict()

    def token(
        self, *, audience: str, partner_id: str | None = None, customer_id: str | None = None
    ) -> str:
        """A token of this service for `audience`, good for 40 s at the least."""
        caller = Caller(self.ring.service, partner_id, customer_id)
        now = time.time()
        key = self.ring.signing_key()
        cached = self._signed.get((audience, caller))
        if cached and cached[1] - now > RENEW_BEFORE_S and cached[2] is key:
            return cached[0]
        claims = {"iss": self.ring.service, "aud": audience, "exp": int(now) + LIFETIME_S}
        claims |= {"partner": partner_id} if partner_id else {}
        claims |= {"customer": customer_id} if customer_id else {}
        token = _sign(key, claims, now)
        _remember(self._signed, (audience, caller), (token, now + LIFETIME_S, key))
        return token

    def staff_token(self, *, staff_id: str, roles: list[str]) -> str:
        """A token for a member of staff, for the services' own APIs. Identity alone may."""
        now = time.time()
        claims = {
            "iss": STAFF_ISSUER,
            "aud": STAFF_AUDIENCE,
            "exp": int(now) + STAFF_LIFETIME_S,
            "staff": staff_id,
            "roles": roles,
        }
        return _sign(self.ring.signing_key(), claims, now)

    def verify(self, token: str) -> Caller:
        """The caller that `token` names.

        Raises:
            Unauthenticated: unsigned, altered, expired, for somebody else, or by a removed key.
        """
        now = time.time()
        seen = self._seen.get(token)
        if seen and seen[1] > now and self.ring.public_key(str(seen[2].kid)) is seen[2]:
            return seen[0]
        caller, expires, key = self._check(token, now)
        _remember(self._seen, token, (caller, expires, key))
        return caller

    def _check(self, token: str, now: float) -> tuple[Caller, float, OKPKey]:
        if len(token) > MAX_TOKEN:
            raise Unauthenticated("The internal token is not valid")
        try:
            kid = _key_id(token)
            key = self.ring.public_key(kid)
            if key is None:
                raise Unauthenticated("The internal token is signed by an unknown key")
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, RecursionError) as error:
            raise Unauthenticated("The internal token is not valid") from error
        issuer, expires = claims.get("iss"), claims.get("exp")
        if not isinstance(issuer, str) or kid.partition(".")[0] != issuer:
            raise Unauthenticated("The internal token is signed by another service's key")
        if not isinstance(expires, int) or expires + LEEWAY_S < now:
            raise Unauthenticated("The internal token has expired")
        staff = claims.get("staff")
        by_identity = staff is not None and issuer == STAFF_ISSUER
        if claims.get("aud") != (STAFF_AUDIENCE if by_identity else self.ring.service):
            raise Unauthenticated("The internal token is meant for another service")
        caller = Caller(
            service="staff" if by_identity else issuer,
            partner_id=claims.get("partner"),
            customer_id=claims.get("customer"),
            staff_id=staff if by_identity else None,
            roles=tuple(claims.get("roles", ())) if by_identity else (),
        )
        return caller, float(expires), key


def _sign(key: OKPKey, claims: dict[str, Any], now: float) -> str:
    header = {"alg": ALGORITHM, "kid": str(key.kid)}
    return jwt.encode(header, claims | {"iat": int(now)}, key, algorithms=[ALGORITHM])


def _key_id(token: str) -> str:
    encoded, _, _ = token.partition(".")
    header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    kid = header.get("kid") if isinstance(header, dict) else None
    if not isinstance(kid, str):
        raise Unauthenticated("The internal token names no key")
    return kid


def _remember(cache: "OrderedDict[K, V]", key: K, value: V) -> None:
    cache[key] = value
    if len(cache) > CACHE_SIZE:
        cache.popitem(last=False)


def allow(*services: str, roles: tuple[str, ...] = ()) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets in calls of these services, and staff with one of these roles.

    Raises:
        Unauthenticated: there is no token, or not a good one.
        Forbidden: the caller is known and may not.
    """

    async def dependency(request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("The call carries no internal token")
        authenticator: Authenticator = request.app.state.context.authenticator
        caller = authenticator.verify(token)
        allowed = (
            bool(set(caller.roles) & set(roles))
            if caller.staff_id is not None
            else caller.service in services
        )
        if not allowed:
            raise Forbidden(f"{caller.service} may not call this route")
        return caller

    return dependency


def generate_key(service: str, *, serial: str) -> dict[str, Any]:
    """A new private key of `service` as a JSON Web Key; `serial` tells it from older ones."""
    key = OKPKey.generate_key("Ed25519", {"kid": f"{service}.{serial}", "use": "sig"})
    return dict(key.as_dict(private=True))


def write_keys(keys_dir: Path, services: tuple[str, ...], *, serial: str, keep: int = 2) -> None:
    """Give every service a new key in front of its older ones, and publish all public halves.

    Files are owner-only. The older key stays valid until the next rotation (`keep`), so that a
    token signed a moment ago is still taken. Publish first, then sign.
    """
    keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    rings: dict[str, list[dict[str, Any]]] = {}
    for service in services:
        path = keys_dir / f"{service}.json"
        old = json.loads(path.read_text())["keys"] if path.exists() else []
        rings[service] = [generate_key(service, serial=serial), *old][:keep]
    public = [
        OKPKey.import_key(key).as_dict(private=False) for ring in rings.values() for key in ring
    ]
    _write_private(keys_dir / "public.json", {"keys": public})
    for service, ring in rings.items():
        _write_private(keys_dir / f"{service}.json", {"keys": ring})


def _write_private(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)  # one left by a rotation that was killed may have other rights
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(json.dumps(content, indent=1))
    draft.replace(path)
