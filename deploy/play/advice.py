"""The customer and the advisor: questionnaire, grade, what suits, and the next offer."""

from typing import Any

from deploy.play.customer import CustomerClient
from deploy.play.steps import expect, wait_for

OFFER_WAIT_S = 15.0


class Advice:
    """Steps in the customer's own session; no partner takes part."""

    def __init__(self, customer: CustomerClient) -> None:
        self._customer = customer
        self._grade = ""

    def plain_offer(self) -> str:
        self._customer.put("/v1/me/marketing-consent", {"granted": False})
        offer = self._customer.get("/v1/me/offer")
        expect(not offer["personalized"], "an offer is personal without consent")
        return f"not personal: {offer['title']['en']}"

    def complete_questionnaire(self) -> str:
        """Answer every item with the option in the middle."""
        asked = self._customer.get("/v1/me/questionnaire", lang="en")
        answers = {
            item["item_id"]: item["options"][len(item["options"]) // 2]["option_id"]
            for item in asked["items"]
        }
        body = {"questionnaire_version": asked["version"], "answers": answers}
        assessment = self._customer.post("/v1/me/assessments", body)
        self._grade = assessment["grade"]
        return f"{len(answers)} answers, {self._grade} until {assessment['valid_until']}"

    def suitable_products(self) -> str:
        found = self._customer.get("/v1/me/products")
        expect(found["grade"] == self._grade, f"the grade reads as {found['grade']}")
        ratings = sorted({item["rating"] for item in found["items"]})
        expect(bool(ratings), "nothing suits")
        expect(all(_level(rating) <= _level(self._grade) for rating in ratings), "too risky")
        return f"{len(found['items'])} products, rated {', '.join(ratings)}"

    def personal_offer(self) -> str:
        """The grade reaches profiles over the bus; with it there is an offer for everybody."""
        self._customer.put("/v1/me/marketing-consent", {"granted": True})

        def offered() -> dict[str, Any] | None:
            if self._customer.get("/v1/me/profile")["grade"] != self._grade:
                return None
            offer: dict[str, Any] = self._customer.get("/v1/me/offer")
            return offer if offer["personalized"] else None

        missing = f"no personal offer that knows the grade {self._grade}"
        offer = wait_for(offered, seconds=OFFER_WAIT_S, missing=missing)
        if offer["kind"] == "investment":
            reason = offer["reason"]["en"]
            expect(self._grade in reason, f"the reason does not name the grade: {reason}")
        return f"{offer['kind']}: {offer['title']['en']}"


def _level(word: str) -> int:
    """The number of a grade C1 to C5 or a rating R1 to R5."""
    return int(word[1:])
