"""Who asks: a client's assertion and proof, checked alike at every endpoint that takes them."""

from collections.abc import Sequence
from datetime import datetime

from gateway.oauth import repository
from gateway.oauth.domain import (
    ClientRefused,
    Credentials,
    NonceMissing,
    ProofRefused,
    TokenRequestRefused,
    used_id_hash,
)
from gateway.registrations.domain import Client
from gateway.registrations.repository import find_client
from gateway.tokens.assertions import claimed_client, import_key_set, verify_assertion
from gateway.tokens.dpop import NonceNeeded, Proof, verify_proof
from gateway.tokens.jose import Refused
from gateway.tokens.nonces import Nonces
from shared.kit.database import Session


async def authenticate(
    session: Session, *, credentials: Credentials, issuer: str, now: datetime
) -> Client:
    """The client that signed the assertion, which is used up with it. Raises `ClientRefused`."""
    try:
        client_id = claimed_client(credentials.assertion)
        if credentials.client_id not in {None, client_id}:
            raise Refused("client_id names another client")
        client = await find_client(session, client_id=client_id)
        # The same words for both: nobody learns here which clients exist.
        if client is None or not client.is_active:
            raise Refused("the client is not known or not active")
        assertion = verify_assertion(
            credentials.assertion,
            client_id=client_id,
            keys=import_key_set(client.jwks),
            issuer=issuer,
            now=now,
        )
    except Refused as refusal:
        raise ClientRefused(f"client_assertion: {refusal}") from refusal
    id_hash = used_id_hash(kind="assertion", owner=client_id, jti=assertion.jti)
    if not await repository.use_id(session, id_hash=id_hash, kept_until=assertion.kept_until):
        raise ClientRefused("The client assertion was used before")
    return client


async def prove(
    session: Session,
    *,
    client: Client,
    proofs: Sequence[str],
    url: str,
    nonces: Nonces,
    now: datetime,
) -> Proof:
    """The proof of a POST by this client, which is used up with it.

    Raises `TokenRequestRefused` where there is none, `ProofRefused`, `NonceMissing`.
    """
    if not proofs:
        raise TokenRequestRefused("A DPoP proof is needed: the token is bound to its key")
    wanted = Nonces(nonces.secret, required=nonces.required or client.options.dpop_nonce)
    try:
        proof = verify_proof(
            proofs, method="POST", url=url, access_token=None, now=now, nonces=wanted
        )
    except NonceNeeded as refusal:
        raise NonceMissing(
            f"DPoP: {refusal}", headers={"DPoP-Nonce": nonces.new(now=now)}
        ) from refusal
    except Refused as refusal:
        raise ProofRefused(f"DPoP: {refusal}") from refusal
    id_hash = used_id_hash(kind="dpop", owner=proof.thumbprint, jti=proof.jti)
    if not await repository.use_id(session, id_hash=id_hash, kept_until=proof.kept_until):
        raise ProofRefused("DPoP: the proof was used before")
    return proof
