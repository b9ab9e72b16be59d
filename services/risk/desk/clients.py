"""What the desk asks of identity: who a member of staff is."""

import json

from pydantic import SecretStr, ValidationError

from services.risk.desk.domain import ROLES, Message, Staff
from shared.contracts.http.identity import SignIn, StaffToken
from shared.kit.app import Context
from shared.kit.peers import PeerRefused, PeerUnavailable
from shared.kit.problems import Unauthenticated

#: Verifying a password takes time by design.
SIGN_IN_TIMEOUT_MS = 5_000.0


async def sign_in(context: Context, *, login_name: str, password: str) -> Staff | Message:
    """The member of staff whom identity's token names, for as long as the token is good.

    The token is read and let go: the desk acts with the name and the roles in it, and a desk
    that kept it could be robbed of it.
    """
    try:
        tried = SignIn(login_name=login_name.lower(), password=SecretStr(password))
        body = {"login_name": tried.login_name, "password": password}
        content = await context.peers["identity"].send(
            "POST",
            "/v1/staff/sign-ins",
            content=json.dumps(body).encode(),
            timeout_ms=SIGN_IN_TIMEOUT_MS,
        )
        given = StaffToken.model_validate_json(content)
        caller = context.authenticator.verify(given.token)
    except PeerRefused as refusal:
        return Message("locked_out", 429) if refusal.status == 429 else Message("wrong", 401)
    except (PeerUnavailable, Unauthenticated):
        return Message("identity_away", 503)
    except ValidationError:
        return Message("wrong", 401)
    if caller.staff_id is None or not ROLES & set(caller.roles):
        return Message("no_role", 403)
    return Staff(caller.staff_id, caller.roles, given.expires_at)
