"""The rules of a payment: many who carry it at once, and any of them dying anywhere, end it once.

The model plays the ledger, risk, a reviewer and the clock; those who carry the payment take one
step at a time (read, ask, record), in any order that Hypothesis finds.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

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


@dataclass
class Carrier:
    """Somebody who carries the payment: what was read of it, and what is to be done."""

    seen: Payment
    step: Step
    decision: Decision | None = None
    change: Change | None = None
    release_for: tuple[str, ...] | None = None


class ManyCarryOnePayment(RuleBasedStateMachine):
    carriers = Bundle("carriers")

    @initialize(outcome=st.sampled_from(sorted(DECISIONS)))
    def begin(self, outcome: str) -> None:
        self.now = START
        self.payment = received()
        self.states = ["received"]
        self.hold = "placed"
        self.hold_until = START + timedelta(seconds=domain.HOLD_S)
        self.says = DECISIONS[outcome]

    # -- the ledger -----------------------------------------------------------------------

    def effective_hold(self) -> str:
        overdue = self.hold == "placed" and self.hold_until <= self.now
        return "expired" if overdue else self.hold

    def capture(self) -> bool:
        if self.effective_hold() == "placed":
            self.hold = "captured"
        return self.hold == "captured"

    def extend(self) -> bool:
        if self.effective_hold() != "placed":
            return False
        self.hold_until = self.now + timedelta(seconds=domain.REVIEW_HOLD_S)
        return True

    def release(self) -> bool:
        if self.hold == "placed":
            self.hold = "released"
        return self.hold != "captured"

    # -- the table ------------------------------------------------------------------------

    def store(self, before: Payment, after: Payment) -> bool:
        key = (self.payment.state, self.payment.verdict)
        if (before.state, before.verdict) != key:
            return False
        assert self.payment.state not in FINAL, "an ended payment was changed"
        if after.state != self.payment.state:
            self.states.append(after.state)
        self.payment = after
        return True

    # -- those who carry it ---------------------------------------------------------------

    @rule(target=carriers)
    def somebody_takes_it(self) -> Carrier:
        return Carrier(self.payment, next_step(self.payment, now=self.now))

    @rule(carrier=consumes(carriers), target=carriers, late=st.booleans())
    def asks_risk(self, carrier: Carrier, late: bool) -> Carrier:
        if carrier.step is Step.DECIDE and carrier.decision is None:
            carrier.decision = NO_DECISION if late else self.says
        return carrier

    @rule(carrier=consumes(carriers), target=carriers, refused=st.integers(0, 9))
    def asks_the_ledger(self, carrier: Carrier, refused: int) -> Carrier:
        if carrier.change is not None:
            return carrier
        outcome = carrier.decision.outcome if carrier.decision else None
        score = carrier.decision.score if carrier.decision else None
        if carrier.release_for is None:
            if carrier.step is Step.CAPTURE or outcome == "approve":
                frozen = refused == 0 and self.effective_hold() == "placed"
                if not frozen and self.capture():
                    carrier.change = partial(domain.settled, now=self.now, score=score)
                else:
                    carrier.release_for = ("account_frozen",) if frozen else ()
            elif outcome == "review":
                if self.extend():
                    carrier.change = partial(
                        domain.sent_to_review, decision=carrier.decision, now=self.now
                    )
                else:
                    carrier.release_for = ()
            elif outcome == "decline":
                carrier.release_for = carrier.decision.reason_codes
            elif carrier.step is Step.RELEASE:
                carrier.release_for = ()
        elif self.release():
            codes = carrier.release_for
            carrier.change = partial(domain.rejected, reason_codes=codes, now=self.now, score=score)
        else:
            carrier.change = partial(domain.settled, now=self.now, score=score)
        return carrier

    @rule(carrier=consumes(carriers))
    def records(self, carrier: Carrier) -> None:
        if carrier.change is None:
            return
        after = carrier.change(carrier.seen)
        if after is not None and not self.store(carrier.seen, after):
            seen = self.payment
            after = carrier.change(seen)
            if after is not None:
                assert self.store(seen, after)

    @rule(carrier=consumes(carriers))
    def dies(self, carrier: Carrier) -> None:
        pass

    # -- what else happens ----------------------------------------------------------------

    @precondition(lambda self: self.payment.state == "in_review")
    @rule(verdict=st.sampled_from(["approve", "decline"]))
    def a_reviewer_speaks(self, verdict: str) -> None:
        after = domain.reviewed(
            self.payment, verdict=verdict, staff_id="s-1", reason="seen", now=self.now
        )
        if after is not None:
            assert self.store(self.payment, after)

    @rule(seconds=st.sampled_from([1, 30, 601, 24 * 3600, 72 * 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_ledger_sweeps(self) -> None:
        self.hold = self.effective_hold()

    @invariant()
    def it_ends_as_its_hold_did(self) -> None:
        if self.payment.state == "settled":
            assert self.hold == "captured"
            assert self.payment.transfer_id == self.payment.payment_id
        if self.payment.state == "rejected":
            assert self.effective_hold() in {"released", "expired"}
            assert self.payment.reason_codes

    @invariant()
    def each_state_is_told_once(self) -> None:
        assert len(self.states) == len(set(self.states))

    @invariant()
    def an_open_payment_is_due_some_day_and_an_ended_one_never(self) -> None:
        assert (self.payment.due_at is None) == (self.payment.state in FINAL)

    def teardown(self) -> None:
        """A lone worker, with risk or without, brings it to an end within the review's time."""
        if not hasattr(self, "payment"):
            return
        for _ in range(6):
            carrier = self.somebody_takes_it()
            self.asks_risk(carrier, late=True)
            self.asks_the_ledger(carrier, refused=1)
            self.asks_the_ledger(carrier, refused=1)
            self.records(carrier)
            self.now += REVIEW_LASTS / 2
        assert self.payment.state in FINAL
        self.it_ends_as_its_hold_did()
        self.each_state_is_told_once()


ManyCarryOnePayment.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestManyCarryOnePayment = ManyCarryOnePayment.TestCase


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
