"""The rules of a payment: many who carry it at once, and any of them dying anywhere, end it once.

The model plays the ledger, risk, a reviewer and the clock; those who carry the payment take one
step at a time (read, ask, record), in any order that Hypothesis finds.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments import domain
from services.payments.domain import (
    FINAL,
    NO_DECISION,
    REVIEW_LASTS,
    Change,
    Decision,
    Payment,
    Step,
    next_step,
)

START = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
DECISIONS = {
    "approve": Decision("approve", (), 0.01),
    "review": Decision("review", ("model_score_raised",), 0.5),
    "decline": Decision("decline", ("model_score_high",), 0.97),
}


def received(**fields: object) -> Payment:
    payment = Payment(
        payment_id=UUID("01930000-0000-7000-8000-000000000001"),
        body_hash=b"hash",
        state="received",
        customer_id="c-1",
        partner_id="p-1",
        consent_id=None,
        debtor_account="a",
        creditor_account="b",
        creditor_name="Payee",
        amount_minor=100,
        currency="CNY",
        end_to_end_id="e2e",
        remittance=None,
        channel="open_api",
        trace_id=None,
        span_id=None,
        received_at=START,
        updated_at=START,
        due_at=START + domain.RESUME_AFTER,
    )
    return replace(payment, **fields)


#: What happens next: somebody goes on (with risk late or not, the account frozen or not), a
#: reviewer speaks, seconds pass, the ledger sweeps expired holds.
HAPPENINGS = st.sampled_from(
    [
        *(
            ("goes on", who, late, frozen)
            for who in range(3)
            for late in (False, False, True)
            for frozen in (False, False, False, True)
        ),
        ("review", "approve"),
        ("review", "decline"),
        ("time", 1),
        ("time", 601),
        ("time", 72 * 3600),
        ("sweep",),
    ]
)


@dataclass
class Carrier:
    """Somebody who carries the payment: what was read of it, and what is to be done."""

    seen: Payment
    step: Step
    decision: Decision | None = None
    release_for: tuple[str, ...] | None = None
    change: Change | None = None


class Model:
    """The ledger's hold, the table's row and the states that were told of."""

    def __init__(self, says: Decision) -> None:
        self.now = START
        self.payment = received()
        self.told = ["received"]
        self.hold = "placed"
        self.hold_until = START + timedelta(seconds=domain.HOLD_S)
        self.says = says
        self.carriers: dict[int, Carrier] = {}

    def happens(self, kind: str, *details: Any) -> None:
        if kind == "goes on":
            self.goes_on(*details)
        elif kind == "review":
            after = domain.reviewed(
                self.payment, verdict=details[0], staff_id="s", reason="r", now=self.now
            )
            assert after is None or self.store(self.payment, after)
        elif kind == "time":
            self.now += timedelta(seconds=details[0])
        else:
            self.hold = self.hold_state()

    # -- the ledger and the table ---------------------------------------------------------

    def hold_state(self) -> str:
        overdue = self.hold == "placed" and self.hold_until <= self.now
        return "expired" if overdue else self.hold

    def capture(self) -> bool:
        if self.hold_state() == "placed":
            self.hold = "captured"
        return self.hold == "captured"

    def extend(self) -> bool:
        if self.hold_state() != "placed":
            return False
        self.hold_until = self.now + timedelta(seconds=domain.REVIEW_HOLD_S)
        return True

    def release(self) -> bool:
        if self.hold == "placed":
            self.hold = "released"
        return self.hold != "captured"

    def store(self, before: Payment, after: Payment) -> bool:
        if (before.state, before.verdict) != (self.payment.state, self.payment.verdict):
            return False
        assert self.payment.state not in FINAL, "an ended payment was changed"
        if after.state != self.payment.state:
            self.told.append(after.state)
        self.payment = after
        return True

    # -- those who carry it ---------------------------------------------------------------

    def goes_on(self, who: int, late: bool, frozen: bool) -> None:
        """One step further; whoever never goes on has died, whoever does so late was slow."""
        carrier = self.carriers.get(who)
        if carrier is None:
            step = next_step(self.payment, now=self.now)
            if step is not Step.NOTHING:
                self.carriers[who] = Carrier(self.payment, step)
        elif carrier.change is not None:
            self.record(carrier.seen, carrier.change)
            del self.carriers[who]
        elif carrier.step is Step.DECIDE and carrier.decision is None:
            carrier.decision = NO_DECISION if late else self.says
        elif carrier.release_for is not None:
            self.ask_for_release(carrier)
        else:
            self.ask_the_ledger(carrier, frozen=frozen)

    def ask_the_ledger(self, carrier: Carrier, *, frozen: bool) -> None:
        outcome = carrier.decision.outcome if carrier.decision else None
        if carrier.step is Step.CAPTURE or outcome == "approve":
            if frozen and self.hold_state() == "placed":
                carrier.release_for = ("account_frozen",)
            elif self.capture():
                carrier.change = partial(domain.settled, now=self.now)
            else:
                carrier.release_for = ()
        elif outcome == "review":
            if self.extend():
                carrier.change = partial(
                    domain.sent_to_review, decision=carrier.decision, now=self.now
                )
            else:
                carrier.release_for = ()
        else:
            carrier.release_for = carrier.decision.reason_codes if carrier.decision else ()

    def ask_for_release(self, carrier: Carrier) -> None:
        if self.release():
            codes = carrier.release_for
            carrier.change = partial(domain.rejected, reason_codes=codes, now=self.now)
        else:
            carrier.change = partial(domain.settled, now=self.now)

    def record(self, seen: Payment, change: Change) -> None:
        after = change(seen)
        if after is not None and not self.store(seen, after):
            seen = self.payment
            after = change(seen)
            assert after is None or self.store(seen, after)

    # -- what always holds ----------------------------------------------------------------

    def check(self) -> None:
        if self.payment.state == "settled":
            assert self.hold == "captured"
            assert self.payment.transfer_id == self.payment.payment_id
        if self.payment.state == "rejected":
            assert self.hold_state() in {"released", "expired"}
            assert self.payment.reason_codes
        assert len(self.told) == len(set(self.told)), "a state was told twice"
        assert (self.payment.due_at is None) == (self.payment.state in FINAL)


class TestPayment:
    @settings(max_examples=150)
    @given(
        says=st.sampled_from(list(DECISIONS.values())),
        happenings=st.lists(HAPPENINGS, min_size=20, max_size=60),
    )
    def test_ends_once_and_as_its_hold_did_whoever_carries_it_and_dies(
        self, says: Decision, happenings: list[tuple[Any, ...]]
    ) -> None:
        model = Model(says)
        for kind, *details in happenings:
            model.happens(kind, *details)
            model.check()
        # Whatever was left: a lone worker ends it within the review's time, even without risk.
        model.carriers.clear()
        for _ in range(20):
            model.goes_on(0, late=True, frozen=False)
            model.now += REVIEW_LASTS / 10
            model.check()
        assert model.payment.state in FINAL


class TestReview:
    def in_review(self) -> Payment:
        payment = domain.sent_to_review(received(), decision=NO_DECISION, now=START)
        assert payment is not None
        return payment

    def test_waits_for_a_reviewer_and_no_longer_than_72_hours(self) -> None:
        payment = self.in_review()
        last = START + timedelta(hours=72) - timedelta(microseconds=1)
        assert next_step(payment, now=last) is Step.NOTHING
        assert next_step(payment, now=START + timedelta(hours=72)) is Step.RELEASE

    def test_ends_before_its_hold_does(self) -> None:
        assert timedelta(seconds=domain.REVIEW_HOLD_S) > REVIEW_LASTS + timedelta(minutes=30)

    def test_takes_no_word_after_its_time(self) -> None:
        late = START + timedelta(hours=72)
        says = partial(domain.reviewed, verdict="approve", staff_id="s", reason="r")
        assert says(self.in_review(), now=late) is None
        assert says(self.in_review(), now=late - timedelta(seconds=1)) is not None

    def test_is_begun_once(self) -> None:
        payment = self.in_review()
        approved = domain.reviewed(payment, verdict="approve", staff_id="s", reason="r", now=START)
        assert approved is not None
        for begun in (payment, approved):
            assert domain.sent_to_review(begun, decision=NO_DECISION, now=START) is None

    def test_takes_one_word(self) -> None:
        says = partial(domain.reviewed, staff_id="s", reason="r", now=START)
        declined = says(self.in_review(), verdict="decline")
        assert declined is not None
        assert says(declined, verdict="approve") is None

    @pytest.mark.parametrize("verdict", ["approve", "decline"])
    def test_is_for_payments_in_review_alone(self, verdict: str) -> None:
        says = partial(domain.reviewed, verdict=verdict, staff_id="s", reason="r", now=START)
        assert says(received()) is None
        settled = domain.settled(received(), now=START)
        assert settled is not None
        assert says(settled) is None

    def test_names_its_end(self) -> None:
        payment = self.in_review()
        late = START + timedelta(hours=72)
        expired = domain.rejected(payment, reason_codes=(), now=late)
        assert expired is not None
        assert expired.reason_codes == ("review_expired",)
        declined = domain.reviewed(payment, verdict="decline", staff_id="s", reason="r", now=START)
        assert declined is not None
        assert declined.state == "in_review", "rejected means that the hold is gone"
        ended = domain.rejected(declined, reason_codes=(), now=START)
        assert ended is not None
        assert ended.reason_codes == ("review_declined",)


class TestReasons:
    def test_of_a_review_are_no_reasons_of_a_settled_payment(self) -> None:
        payment = domain.sent_to_review(received(), decision=NO_DECISION, now=START)
        assert payment is not None
        assert domain.shown_reasons(payment) == ("risk_unavailable",)
        settled = domain.settled(payment, now=START)
        assert settled is not None
        assert domain.shown_reasons(settled) == ()

    def test_say_so_where_the_hold_was_over_first(self) -> None:
        lost = domain.rejected(received(), reason_codes=(), now=START)
        assert lost is not None
        assert lost.reason_codes == ("hold_expired",)
