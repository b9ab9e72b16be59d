"""The bank's main job, played from outside: a partner pays for a customer who agreed to it."""

import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.bank.staff import Refused, StaffClient
from deploy.local.files import messages_file, read_json, write_json
from deploy.local.options import Options
from deploy.local.programs import url_of
from deploy.play import cast as casting
from deploy.play.advice import Advice
from deploy.play.consent_page import ConsentPage
from deploy.play.credit import Credit
from deploy.play.customer import CustomerClient
from deploy.play.partner import PartnerClient, load_identity, new_identity, save_identity
from deploy.play.steps import NotAsExpected, Step, expect, expect_status, play_steps, wait_for
from deploy.play.trace import new_traceparent, trace_id_of
from shared.kit.money import EXPONENTS, format_minor

PARTNER_ID = "demo-travel"
PARTNER_NAME = "Demo Travel 示范旅行"
TOKEN_TYPE = "DPoP"  # noqa: S105 - a word of RFC 9449
PROFILE_WAIT_S = 15.0
#: In whole units of the currency: an everyday payment, and what follows the probes.
EVERYDAY, ODD = 128, 3_600
#: Tenths of a unit: just below the 10 yuan under which a payment is small.
PROBE_TENTHS = 99
PROBES = 3


class Journey:
    """One play: what a step learns, the next ones use."""

    def __init__(self, options: Options) -> None:
        self._run_dir = options.run_dir
        self._gateway = url_of("gateway", port=options.port)
        self._operator = StaffClient(options.run_dir, login_name="operator")
        self._reviewer = StaffClient(options.run_dir, login_name="reviewer")
        identity = load_identity(options.run_dir, PARTNER_ID)
        if identity is None:
            identity = new_identity(partner_id=PARTNER_ID, name=PARTNER_NAME)
            save_identity(options.run_dir, identity)
        self._partner = PartnerClient(identity, gateway=self._gateway)
        self._customer = CustomerClient(self._gateway)
        self._password = secrets.token_urlsafe(18)
        self.traceparent = new_traceparent()
        self._cast: casting.Cast | None = None
        self._consent: dict[str, Any] = {}
        self._paid: dict[str, Any] = {}
        self._held: dict[str, Any] = {}
        self._settled_before = 0

    def close(self) -> None:
        for client in (self._operator, self._reviewer, self._partner, self._customer):
            client.close()

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        advice = Advice(self._customer)
        credit = Credit(self._customer, self._operator)
        return [
            ("register a partner", self.register_partner),
            ("partner gets a token", self.get_token),
            ("choose a customer", self.choose_customer),
            ("partner asks for consent", self.ask_consent),
            ("customer agrees on the page", self.agree),
            ("customer signs in", self.sign_in),
            ("the app tells its device", self.tell_device),
            ("partner pays", self.pay),
            ("the same key again", self.repeat),
            ("the same key, another body", self.reuse_key),
            ("pay without funds", self.pay_without_funds),
            ("an odd payment is held", self.pay_oddly),
            ("a reviewer approves it", self.approve),
            ("read and list payments", self.read),
            ("the profile shows the payment", self.see_profile),
            ("offer without marketing consent", advice.plain_offer),
            ("risk questionnaire", advice.complete_questionnaire),
            ("suitable products alone", advice.suitable_products),
            ("offer with marketing consent", advice.personal_offer),
            ("customer applies for a loan", credit.apply_for_loan),
            ("past decisions replayed", credit.replay),
        ]

    def register_partner(self) -> str:
        identity = self._partner.identity
        body = {
            "partner_id": identity.partner_id,
            "name": identity.name,
            "jwks": identity.jwks(),
            "redirect_uris": [],
        }
        self._operator.call("gateway", "POST", "/v1/partners", body=body)
        return f"{identity.partner_id}, key {identity.key.kid}"

    def get_token(self) -> str:
        token = expect_status(self._partner.fetch_token(), 200)
        bound = str(token["token_type"]) == TOKEN_TYPE
        expect(bound, "the token is not bound to the key")
        return f"private_key_jwt, bound by DPoP, good for {token['expires_in']} s"

    def choose_customer(self) -> str:
        self._cast = casting.choose(self._operator, turn=_next_turn(self._run_dir / "play.json"))
        body = {"login_name": self._login_name, "password": self._password}
        path = f"/v1/customers/{self._chosen.customer_id}/credentials"
        self._operator.call("identity", "PUT", path, body=body)
        available = format_minor(self._chosen.available_minor, self._chosen.currency)
        return f"customer {self._chosen.customer_id}, {available} available"

    def ask_consent(self) -> str:
        chosen = self._chosen
        body = {
            "payee": {"account_id": chosen.payee_account, "name": chosen.payee_name},
            "currency": chosen.currency,
            # More than the account holds, so that it is the account that ends a payment below.
            "limit_minor": chosen.available_minor + 10 * self._units(ODD),
            "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        }
        answer = self._partner.send(
            "POST", "/v1/payment-consents", body=body, idempotency_key=str(uuid.uuid4())
        )
        self._consent = expect_status(answer, 201)
        return f"consent {self._consent['consent_id']}"

    def agree(self) -> str:
        page = ConsentPage(str(self._consent["authorize_url"]))
        try:
            title = page.agree(
                login_name=self._login_name,
                password=self._password,
                account_id=self._chosen.account_id,
                messages=messages_file(self._run_dir),
            )
        finally:
            page.close()
        path = f"/v1/payment-consents/{self._consent['consent_id']}"
        state = expect_status(self._partner.send("GET", path), 200)["state"]
        expect(state == "authorized", f"the page says {title!r}, the consent is {state}")
        return "one-time code, then authorized"

    def sign_in(self) -> str:
        self._customer.sign_in(login_name=self._login_name, password=self._password)
        self._settled_before = self._customer.get("/v1/me/profile")["habits"]["payments_settled"]
        return "a session of the customer's own"

    def tell_device(self) -> str:
        """Who shares it with known fraud is looked at by a person: each customer has an own one."""
        body = {"device_id": f"demo-phone-{self._chosen.customer_id}"}
        told = self._customer.put("/v1/me/identifiers", body)
        expect(told["kinds"] == ["device"], f"{told['kinds']} were kept")
        return "a device, for the rings of risk"

    def pay(self) -> str:
        self._paid = self._payment(self._units(EVERYDAY), key="everyday", trace=self.traceparent)
        expect(self._paid["state"] == "settled", _what(self._paid))
        amount = format_minor(self._paid["amount_minor"], self._chosen.currency)
        return f"{amount} settled, trace {trace_id_of(self.traceparent)}"

    def repeat(self) -> str:
        again = self._payment(self._units(EVERYDAY), key="everyday")
        expect(again == self._paid, "another answer came")
        return "the same answer, one payment"

    def reuse_key(self) -> str:
        answer = self._send_payment(self._units(EVERYDAY) + 1, key="everyday")
        problem = expect_status(answer, 422)
        expect(problem["code"] == "idempotency_key_reused", f"refused as {problem['code']}")
        return f"422 {problem['code']}"

    def pay_without_funds(self) -> str:
        answer = self._send_payment(self._chosen.available_minor + 1, key="too-much")
        problem = expect_status(answer, 422)
        expect(problem["code"] == "insufficient_funds", f"refused as {problem['code']}")
        return f"422 {problem['code']}"

    def pay_oddly(self) -> str:
        """Small probes and then a large one: what a thief does who tries a stolen credential."""
        for number in range(PROBES):
            probe = self._payment(self._units(PROBE_TENTHS) // 10, key=f"probe-{number}")
            if probe["state"] == "in_review":  # plays before taught the model where probes go
                probe = self._approved(probe)
            expect(probe["state"] == "settled", f"a small payment: {_what(probe)}")
        self._held = self._payment(self._units(ODD), key="odd")
        expect(self._held["state"] == "in_review", _what(self._held))
        return f"in review: {', '.join(self._held['reason_codes'])}"

    def approve(self) -> str:
        reviewed = self._approved(self._held)
        expect(reviewed["state"] == "settled", _what(reviewed))
        return f"settled by {self._reviewer.staff_id}"

    def _approved(self, payment: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/payments/{payment['payment_id']}/review"
        body = {"outcome": "approve", "reason": "The customer confirmed it by telephone"}
        reviewed: dict[str, Any] = self._reviewer.call("payments", "POST", path, body=body)
        return reviewed

    def read(self) -> str:
        path = f"/v1/payments/{self._held['payment_id']}"
        held = expect_status(self._partner.send("GET", path), 200)
        expect(held["state"] == "settled", f"reads as {held['state']}")
        answer = self._partner.send("GET", "/v1/payments", params={"limit": "20"})
        listed: Any = expect_status(answer, 200)["items"]
        ids = [item["payment_id"] for item in listed]
        expect({self._paid["payment_id"], self._held["payment_id"]} <= set(ids), "one is missing")
        return f"{len(listed)} payments, youngest first"

    def see_profile(self) -> str:
        """The events reach profiles over the bus, so the profile follows in a moment."""

        def shown() -> dict[str, Any] | None:
            profile: dict[str, Any] = self._customer.get("/v1/me/profile")
            settled = profile["habits"]["payments_settled"] - self._settled_before
            return profile if settled == 2 + PROBES else None

        profile = wait_for(
            shown, seconds=PROFILE_WAIT_S, missing="the profile does not show the payments"
        )
        tags = ", ".join(profile["tags"]) or "no tags"
        return f"{2 + PROBES} more payments; {tags}"

    @property
    def _chosen(self) -> casting.Cast:
        if self._cast is None:
            raise NotAsExpected("nobody was chosen")
        return self._cast

    @property
    def _login_name(self) -> str:
        return f"demo.{self._chosen.customer_id}".lower()[:40]

    def _units(self, whole: int) -> int:
        """Minor units of the currency for so many yuan, crowns or euros."""
        return int(whole * 10 ** EXPONENTS.get(self._chosen.currency, 2))

    def _payment(self, amount_minor: int, *, key: str, trace: str | None = None) -> dict[str, Any]:
        return expect_status(self._send_payment(amount_minor, key=key, trace=trace), 201)

    def _send_payment(self, amount_minor: int, *, key: str, trace: str | None = None) -> Any:
        consent_id = self._consent["consent_id"]
        body = {
            "consent_id": consent_id,
            "amount_minor": amount_minor,
            "currency": self._chosen.currency,
            "creditor": {
                "account_id": self._chosen.payee_account,
                "name": self._chosen.payee_name,
            },
            "end_to_end_id": f"demo-{key}",
            "remittance": "Demo 示范付款",
        }
        return self._partner.send(
            "POST",
            "/v1/payments",
            body=body,
            idempotency_key=f"{key}.{consent_id}",
            traceparent=trace or new_traceparent(),
        )


def play(options: Options, *, tell: Callable[[Step], None]) -> tuple[list[Step], str]:
    """Play once at the bank that runs; the steps, and the trace id of the everyday payment."""
    try:
        journey = Journey(options)
    except Refused as refusal:
        return [Step("find the staff", "failed", 0.0, str(refusal))], ""
    try:
        return play_steps(journey.steps(), tell=tell), trace_id_of(journey.traceparent)
    finally:
        journey.close()


def _next_turn(file: Any) -> int:
    plays = int((read_json(file) or {}).get("plays", 0))
    write_json(file, {"plays": plays + 1})
    return plays


def _what(payment: dict[str, Any]) -> str:
    reasons = ", ".join(payment["reason_codes"])
    return f"it is {payment['state']}" + (f" ({reasons})" if reasons else "")
