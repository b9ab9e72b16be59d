"""What profiles promises of the profile that events make, met over HTTP and the real bus."""

from datetime import UTC, date, datetime, timedelta

from shared.kit.clock import bank_date, new_id, utc_now
from tests.advisor.support import assessment, complete
from tests.advisor.support import own_session as advisor_session
from tests.bank import Bank, eventually
from tests.ledger.support import fund, open_account
from tests.profiles.support import (
    AT,
    all_handled,
    graded,
    message,
    own_session,
    owner,
    posted,
    publish,
    read,
    registered,
    rejected,
    settled,
    steady_saver,
    tell,
)


class TestProfile:
    async def test_is_not_found_before_any_event(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as profiles:
            response = await profiles.get(f"/v1/customers/c-{unique}/profile")
        assert response.status_code == 404
        assert response.json()["code"] == "profile_not_found"

    async def test_shows_totals_by_currency_month_and_kind(self, bank: Bank, unique: str):
        account, dollars = f"a-{unique}", f"d-{unique}"
        await tell(
            bank,
            [
                registered(f"c-{unique}"),
                owner(f"c-{unique}", account),
                owner(f"c-{unique}", dollars),
                posted((account, 900), ("bank", -900), kind="salary", on=date(2026, 1, 31)),
                posted((account, -300), ("shop", 300), kind="card", on=date(2026, 2, 1)),
                posted((account, -50), ("shop", 50), kind="card", on=date(2026, 2, 28)),
                posted((dollars, 7), ("bank", -7), kind="salary", currency="USD"),
            ],
        )
        profile = await read(bank, f"c-{unique}")
        yuan, usd = profile["totals"]
        assert yuan == {"currency": "CNY", "in_minor": 900, "out_minor": 350, "transfers": 3}
        assert usd == {"currency": "USD", "in_minor": 7, "out_minor": 0, "transfers": 1}
        months = [
            (m["month"], m["currency"], m["in_minor"], m["out_minor"]) for m in profile["by_month"]
        ]
        assert months == [
            ("2026-01-01", "CNY", 900, 0),
            ("2026-02-01", "CNY", 0, 350),
            ("2026-03-01", "USD", 7, 0),
        ]
        kinds = [(k["kind"], k["currency"], k["transfers"]) for k in profile["by_kind"]]
        assert kinds == [("card", "CNY", 2), ("salary", "CNY", 1), ("salary", "USD", 1)]
        assert profile["accounts"] == [account, dollars]
        assert datetime.fromisoformat(profile["updated_at"]) == AT

    async def test_counts_a_transfer_between_own_accounts_on_both_sides(
        self, bank: Bank, unique: str
    ):
        one, two = f"a-{unique}", f"b-{unique}"
        events = [owner(f"c-{unique}", one), owner(f"c-{unique}", two), posted((one, -5), (two, 5))]
        await tell(bank, events)
        (totals,) = (await read(bank, f"c-{unique}"))["totals"]
        assert (totals["in_minor"], totals["out_minor"], totals["transfers"]) == (5, 5, 2)

    async def test_shows_money_that_moved_before_the_right_was_known(self, bank: Bank, unique: str):
        await tell(bank, [posted((f"a-{unique}", 12), ("bank", -12))])
        await tell(bank, [owner(f"c-{unique}", f"a-{unique}")])
        (totals,) = (await read(bank, f"c-{unique}"))["totals"]
        assert totals["in_minor"] == 12

    async def test_leaves_out_the_money_of_an_authorized_user(self, bank: Bank, unique: str):
        await tell(
            bank,
            [
                registered(f"c-{unique}"),
                owner(f"c-{unique}", f"a-{unique}", "authorized_user"),
                posted((f"a-{unique}", 12), ("bank", -12)),
            ],
        )
        profile = await read(bank, f"c-{unique}")
        assert (profile["totals"], profile["accounts"]) == ([], [])

    async def test_shows_habits_of_payments(self, bank: Bank, unique: str):
        evening = datetime(2026, 3, 2, 19, tzinfo=UTC)
        await tell(
            bank,
            [
                settled(f"c-{unique}", "rent", 9_000),
                settled(f"c-{unique}", "shop", 100, evening),
                settled(f"c-{unique}", "shop", 200, evening),
                rejected(f"c-{unique}", "thief", 10**9),
            ],
        )
        habits = (await read(bank, f"c-{unique}"))["habits"]
        assert [payee["account_id"] for payee in habits["favorite_payees"]] == ["shop", "rent"]
        assert habits["favorite_payees"][0]["amount_minor"] == 300
        assert (habits["payments_settled"], habits["payments_rejected"]) == (3, 1)
        assert (habits["busiest_hour"], habits["mean_payment_minor"]) == (19, 3_100)

    async def test_shows_tags_and_segment(self, bank: Bank, unique: str):
        await tell(bank, [*steady_saver(f"c-{unique}"), graded(f"c-{unique}", "C3")])
        profile = await read(bank, f"c-{unique}")
        assert profile["tags"] == ["risk_graded", "salary_earner", "saver"]
        assert profile["segments"] == ["steady_saver"]
        assert profile["grade"] == "C3"

    async def test_calls_a_customer_of_today_new(self, bank: Bank, unique: str):
        await tell(bank, [registered(f"c-{unique}", bank_date(utc_now()))])
        assert (await read(bank, f"c-{unique}"))["tags"] == ["new_customer"]

    async def test_keeps_the_latest_grade_whatever_comes_last(self, bank: Bank, unique: str):
        await tell(bank, [graded(f"c-{unique}", "C2", at=AT + timedelta(days=1))])
        await tell(bank, [graded(f"c-{unique}", "C5", at=AT)])
        assert (await read(bank, f"c-{unique}"))["grade"] == "C2"

    async def test_shows_no_grade_that_has_expired(self, bank: Bank, unique: str):
        await tell(bank, [graded(f"c-{unique}", "C5", until=bank_date(utc_now()))])
        profile = await read(bank, f"c-{unique}")
        assert (profile["grade"], profile["tags"]) == (None, [])


class TestEvents:
    async def test_count_once_however_often_they_come(self, bank: Bank, unique: str):
        bank.start("profiles")
        once = [message(settled(f"c-{unique}", "shop", 5)) for _ in range(3)]
        last = message(settled(f"c-{unique}", "rent", 7))
        await publish(bank, [*once, *once, *once])
        await publish(bank, [*once, last])
        await all_handled(bank, [*once, last])

        async def drained() -> bool:
            connection = await bank.connect("bus")
            try:
                behind = await connection.fetchval(
                    "SELECT count(*) FROM log l JOIN group_partitions g USING (topic, partition)"
                    " WHERE g.group_name = 'profiles' AND l.log_offset >= g.next_offset"
                )
            finally:
                await connection.close()
            return behind == 0

        await eventually(drained, within_s=60)
        assert (await read(bank, f"c-{unique}"))["habits"]["payments_settled"] == 4

    async def test_are_not_lost_when_the_service_is_killed(self, bank: Bank, unique: str):
        bank.start("profiles")
        messages = [message(settled(f"c-{unique}", "shop", 1)) for _ in range(2_000)]
        await publish(bank, messages[:1_000])
        bank.kill("profiles")
        await publish(bank, messages[1_000:])
        bank.start("profiles")
        await all_handled(bank, messages)
        habits = (await read(bank, f"c-{unique}"))["habits"]
        assert habits["payments_settled"] == 2_000
        assert habits["favorite_payees"][0]["amount_minor"] == 2_000

    async def test_of_the_ledger_and_the_advisor_reach_the_profile(self, bank: Bank, unique: str):
        bank.start("profiles")
        await tell(bank, [owner(f"c-{unique}", f"a-{unique}")])
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}", holder_id=f"c-{unique}")
            await fund(ledger, f"a-{unique}", 1_000)
        async with advisor_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}", age="65_or_over"))

        async def arrived() -> bool:
            profile = await read(bank, f"c-{unique}")
            return bool(profile["totals"]) and profile["grade"] == "C3"

        await eventually(arrived, within_s=60)
        (totals,) = (await read(bank, f"c-{unique}"))["totals"]
        assert totals["in_minor"] == 1_000


class TestAccess:
    async def test_is_refused_to_partners_strangers_and_services(self, bank: Bank, unique: str):
        path = f"/v1/customers/a-{unique}"
        key = {"Idempotency-Key": str(new_id())}
        own = f"a-{unique}"
        for who in (
            {"caller": "gateway", "partner_id": "p-shop", "customer_id": own},
            {"caller": "gateway", "customer_id": f"b-{unique}"},
            {"caller": "gateway"},
            {"caller": "payments", "customer_id": own},
        ):
            async with bank.client("profiles", **who) as stranger:
                replies = [
                    await stranger.get(f"{path}/profile"),
                    await stranger.get(f"{path}/next-offer"),
                    await stranger.get(f"{path}/marketing-consent"),
                    await stranger.put(
                        f"{path}/marketing-consent", json={"granted": True}, headers=key
                    ),
                ]
            assert [reply.status_code for reply in replies] == [403] * 4

    async def test_lets_staff_read_and_never_consent(self, bank: Bank, unique: str):
        await tell(bank, [registered(f"c-{unique}")])
        async with bank.client("profiles", roles=("reviewer",)) as staff:
            read_by_staff = await staff.get(f"/v1/customers/c-{unique}/profile")
            consented = await staff.put(
                f"/v1/customers/c-{unique}/marketing-consent",
                json={"granted": True},
                headers={"Idempotency-Key": "k"},
            )
        assert read_by_staff.status_code == 200
        assert consented.status_code == 403
