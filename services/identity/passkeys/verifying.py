"""Web Authentication itself, by `webauthn`: what goes to the browser, what holds of its answer.

User verification is always needed: the passkey is possession, finger or code the second factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.identity.passkeys.domain import (
    BANK_NAME,
    PasskeyRefused,
    StoredPasskey,
    relying_party,
)

_REQUIRED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True, slots=True)
class NewPasskey:
    credential_id: bytes
    public_key: bytes
    sign_count: int


def registration_options(
    *, origin: str, customer_id: str, user_name: str, challenge: bytes, known: Sequence[bytes]
) -> str:
    """For `navigator.credentials.create`; an authenticator with a `known` one makes no other."""
    options = generate_registration_options(
        rp_id=relying_party(origin),
        rp_name=BANK_NAME,
        user_name=user_name,
        user_id=customer_id.encode(),
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    return options_to_json(options)


def assertion_options(*, origin: str, challenge: bytes, known: Sequence[bytes]) -> str:
    """For `navigator.credentials.get`; without `known` ones the authenticator offers its own."""
    options = generate_authentication_options(
        rp_id=relying_party(origin),
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
        user_verification=_REQUIRED,
    )
    return options_to_json(options)


def verified_registration(credential: str, *, origin: str, challenge: bytes) -> NewPasskey:
    """Raises `PasskeyRefused`."""
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=relying_party(origin),
            expected_origin=origin,
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise PasskeyRefused from error
    return NewPasskey(made.credential_id, made.credential_public_key, made.sign_count)


def claimed_credential(credential: str) -> bytes:
    """Which passkey an answer says it is of. Raises `PasskeyRefused`."""
    try:
        return parse_authentication_credential_json(credential).raw_id
    except WebAuthnException as error:
        raise PasskeyRefused from error


def verified_assertion(
    credential: str, *, origin: str, challenge: bytes, passkey: StoredPasskey
) -> int:
    """The passkey's new count of signatures; one that went back was copied. `PasskeyRefused`."""
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=relying_party(origin),
            expected_origin=origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise PasskeyRefused from error
    return verified.new_sign_count
