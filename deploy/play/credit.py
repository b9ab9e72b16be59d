"""The customer applies for a loan, and an operator has past decisions replayed."""

from datetime import UTC, datetime
from typing import Any

from deploy.bank.replays import replayed
from deploy.bank.staff import StaffClient
from deploy.play.customer import CustomerClient
from deploy.play.steps import expect
from shared.kit.money import format_minor

#: In fen: what is asked for, and what comes in and goes out in a usual month.
ASKED, INCOME, DEBT = 5_000_000, 1_200_000, 150_000
REPLAYED = 200


class Credit:
    """Steps of a customer and of an operator; no partner takes part."""

    def __init__(self, customer: CustomerClient, operator: StaffClient) -> None:
        self._customer = customer
        self._operator = operator

    def apply_for_loan(self) -> str:
        """The customer lets the sources be asked, so that the scorecard knows enough for a
        grade; where the loan is not approved, the customer reads why.
        """
        for source in ("bureau", "tax", "telecom", "consumption"):
            self._customer.put(f"/v1/me/source-consents/{source}/credit", {"granted": True})
        body = {
            "currency": "CNY",
            "requested_minor": ASKED,
            "monthly_income_minor": INCOME,
            "monthly_debt_minor": DEBT,
            "employed_months": 40,
            "term_months": 24,
        }
        made = self._customer.post("/v1/me/loan-applications", body)
        states = {"in_review", "approved", "declined"}
        expect(made["state"] in states, f"the application is {made['state']}")
        path = f"/v1/me/applications/{made['application_id']}"
        said = self._customer.get(f"{path}/explanation")
        expect(self._customer.get(path)["state"] == made["state"], "it reads otherwise")
        self._check(made, said)
        kept = self._operator.call("risk", "GET", f"/v1/decisions/{made['application_id']}")
        uses = {use["source"]: use["state"] for use in kept["sources"]}
        expect(uses["bureau"] != "refused_consent", "the consent does not count")
        codes = ", ".join(reason["code"] for reason in made["reasons"]) or "no reasons"
        amount = format_minor(ASKED, "CNY")
        return f"{amount}: {made['state']} ({codes}), bureau {uses['bureau']}"

    def _check(self, made: dict[str, Any], said: dict[str, Any]) -> None:
        if made["state"] == "approved":
            expect(made["limit_minor"] > 0, "approved without a limit")
            expect(made["price_bps"] > 0, "approved without a price")
            return
        expect(bool(said["reasons"]), "no reason is given")
        expect(said["can_ask_for_person"], "nobody can be asked")

    def replay(self) -> str:
        """What was decided comes out the same, by the policy and the model named in it."""
        until = datetime.now(UTC).isoformat()
        lines: list[str] = []
        found = replayed(self._operator, last=REPLAYED, until=until, tell=lines.append)
        expect(found.seen > 0, "there are no decisions")
        expect(found.differing == 0, f"{found.differing} differ: {lines[0] if lines else ''}")
        return found.lines()[-1]
