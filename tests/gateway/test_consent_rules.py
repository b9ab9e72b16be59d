from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consents import domain
from gateway.consents.domain import PaymentConsent, authorize, check_payment, reject, revoke

NOW = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
OPEN = PaymentConsent(
    consent_id=UUID(int=1),
    partner_id="p-shop",
    payee_account="6217000100000002",
    payee_name="Shop",
    currency="CNY",
    limit_minor=10_000,
    used_minor=0,
    expires_at=LATER,
    debtor_account=None,
    debtor_named=False,
    redirect_uri=None,
    stored_state="awaiting_authorization",
    customer_id=None,
    code_failures=0,
    created_at=NOW,
    updated_at=NOW,
)
AGREED = authorize(OPEN, customer_id="c-1", account_id="6217000100000001", now=NOW)
PAYMENT = {"payee_account": "6217000100000002", "amount_minor": 1, "currency": "CNY", "now": NOW}


class TestPaymentConsent:
    def test_is_authorized_by_a_customer_with_an_account(self):
        assert AGREED.state(now=NOW) == "authorized"
        assert AGREED.customer_id == "c-1"
        assert AGREED.debtor_account == "6217000100000001"

    def test_keeps_to_the_account_that_the_partner_named(self):
        named = replace(OPEN, debtor_account="6217000100000009", debtor_named=True)
        with pytest.raises(domain.AccountNotUsable):
            authorize(named, customer_id="c-1", account_id="6217000100000001", now=NOW)
        agreed = authorize(named, customer_id="c-1", account_id="6217000100000009", now=NOW)
        assert agreed.state(now=NOW) == "authorized"

    def test_is_rejected_by_a_customer_who_denies(self):
        assert reject(OPEN, customer_id="c-1", now=NOW).state(now=NOW) == "rejected"

    @pytest.mark.parametrize("state", ["authorized", "revoked", "expired", "rejected"])
    def test_is_decided_once(self, state):
        decided = replace(OPEN, stored_state=state)
        with pytest.raises(domain.ConsentNotAwaiting):
            authorize(decided, customer_id="c-1", account_id="a", now=NOW)
        with pytest.raises(domain.ConsentNotAwaiting):
            reject(decided, customer_id="c-1", now=NOW)

    @pytest.mark.parametrize("consent", [OPEN, AGREED])
    def test_is_revoked_while_it_is_open_and_a_second_time_changes_nothing(self, consent):
        revoked = revoke(consent, now=NOW)
        assert revoked.state(now=NOW) == "revoked"
        assert revoke(revoked, now=LATER) == revoked

    @pytest.mark.parametrize("state", ["expired", "rejected"])
    def test_is_not_revoked_when_it_has_ended(self, state):
        with pytest.raises(domain.ConsentNotRevocable):
            revoke(replace(OPEN, stored_state=state), now=NOW)

    @pytest.mark.parametrize("consent", [OPEN, AGREED])
    def test_expires_by_itself_and_cannot_be_used_then(self, consent):
        assert consent.state(now=LATER - timedelta(microseconds=1)) != "expired"
        assert consent.state(now=LATER) == "expired"
        with pytest.raises(domain.ConsentNotAwaiting):
            authorize(consent, customer_id="c-1", account_id="a", now=LATER)
        with pytest.raises(domain.ConsentNotRevocable):
            revoke(consent, now=LATER)
        with pytest.raises(domain.ConsentNotAuthorized):
            check_payment(consent, **(PAYMENT | {"now": LATER}))

    @pytest.mark.parametrize("state", ["revoked", "rejected"])
    def test_stays_what_it_was_made_after_its_expiry(self, state):
        assert replace(OPEN, stored_state=state).state(now=LATER) == state

    def test_is_rejected_by_the_fifth_wrong_code(self):
        consent = OPEN
        for _ in range(4):
            consent = domain.count_wrong_code(consent, customer_id="c-1", now=NOW)
            assert consent.state(now=NOW) == "awaiting_authorization"
        consent = domain.count_wrong_code(consent, customer_id="c-1", now=NOW)
        assert consent.state(now=NOW) == "rejected"

    @pytest.mark.parametrize("days", [1, 90])
    def test_may_last_up_to_90_days(self, days):
        domain.check_expiry(NOW + timedelta(days=days), now=NOW)

    @pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=-1), timedelta(days=90.1)])
    def test_may_not_end_in_the_past_or_last_longer(self, ahead):
        with pytest.raises(domain.ConsentExpiryRefused):
            domain.check_expiry(NOW + ahead, now=NOW)


class TestPaymentUnderAConsent:
    def test_is_covered_to_the_last_unit(self):
        check_payment(AGREED, **(PAYMENT | {"amount_minor": 10_000}))

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"payee_account": "other"}, domain.ConsentPayeeMismatch),
            ({"currency": "EUR"}, domain.ConsentCurrencyMismatch),
            ({"amount_minor": 10_001}, domain.ConsentLimitExceeded),
        ],
    )
    def test_is_refused_outside_what_the_customer_allowed(self, change, error):
        with pytest.raises(error):
            check_payment(AGREED, **(PAYMENT | change))

    @pytest.mark.parametrize("state", ["awaiting_authorization", "revoked", "expired", "rejected"])
    def test_is_refused_in_every_other_state(self, state):
        with pytest.raises(domain.ConsentNotAuthorized, match=state):
            check_payment(replace(AGREED, stored_state=state), **PAYMENT)

    @given(st.lists(st.integers(1, 6_000), max_size=20))
    def test_never_takes_the_sum_over_the_limit(self, amounts):
        consent = AGREED
        for amount in amounts:
            try:
                check_payment(consent, **(PAYMENT | {"amount_minor": amount}))
            except domain.ConsentLimitExceeded:
                assert consent.used_minor + amount > consent.limit_minor
            else:
                consent = replace(consent, used_minor=consent.used_minor + amount)
        assert consent.used_minor <= consent.limit_minor
