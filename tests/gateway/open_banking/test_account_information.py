"""Account information of UK Open Banking v4.0: every answer against the published schema."""

import itertools
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer
from tests.gateway.fapi.support import App, new_app
from tests.gateway.open_banking.standard import Standard
from tests.gateway.open_banking.support import (
    AISP,
    CONSENTS,
    EVERYTHING,
    HISTORY,
    Reader,
    ask_consent,
    code_for,
    own_token,
    send,
    session_of,
)

#: What each address needs, and what it shows without and with the detailed code.
NEEDS = {
    "/accounts": {"ReadAccountsBasic", "ReadAccountsDetail"},
    f"/accounts/{HISTORY}": {"ReadAccountsBasic", "ReadAccountsDetail"},
    "/balances": {"ReadBalances"},
    f"/accounts/{HISTORY}/balances": {"ReadBalances"},
    f"/accounts/{HISTORY}/transactions": {"ReadTransactionsBasic", "ReadTransactionsDetail"},
    "/beneficiaries": {"ReadBeneficiariesBasic", "ReadBeneficiariesDetail"},
    f"/accounts/{HISTORY}/beneficiaries": {"ReadBeneficiariesBasic", "ReadBeneficiariesDetail"},
    "/standing-orders": {"ReadStandingOrdersBasic", "ReadStandingOrdersDetail"},
    f"/accounts/{HISTORY}/standing-orders": {"ReadStandingOrdersBasic", "ReadStandingOrdersDetail"},
    "/products": {"ReadProducts"},
    f"/accounts/{HISTORY}/product": {"ReadProducts"},
    "/party": {"ReadPartyPSU"},
    f"/accounts/{HISTORY}/party": {"ReadParty"},
    f"/accounts/{HISTORY}/parties": {"ReadParty"},
    f"/accounts/{HISTORY}/statements": {"ReadStatementsBasic", "ReadStatementsDetail"},
}


def last_month() -> str:
    return f"{date.today().replace(day=1) - timedelta(days=1):%Y-%m}"


class TestResources:
    async def test_are_as_published_and_tell_the_facts(
        self, bank: Bank, standard: Standard, reader: Reader, customer: Customer
    ):
        found = {path: standard.check(await reader.get(path)) for path in NEEDS}
        listed = found["/accounts"]["Data"]["Account"]
        assert {one["AccountId"] for one in listed} == {customer.account_id, HISTORY}
        assert listed[0]["Account"][0]["Identification"] == listed[0]["AccountId"]
        async with bank.client("ledger", roles=("operator",)) as ledger:
            balance = (await ledger.get(f"/v1/accounts/{HISTORY}")).json()["balance"]
        booked = found[f"/accounts/{HISTORY}/balances"]["Data"]["Balance"][0]
        assert booked["Amount"]["Amount"] == f"{balance['posted_minor'] / 100:.2f}"
        order = found["/standing-orders"]["Data"]["StandingOrder"][0]
        assert order["NextPaymentAmount"] == {"Amount": "2452.00", "Currency": "CNY"}
        assert order["CreditorAccount"]["Identification"] == "87144583"
        assert found["/party"]["Data"]["Party"]["Name"] == "Li Hua"
        owner = found[f"/accounts/{HISTORY}/parties"]["Data"]["Party"][0]
        assert owner["PartyId"] == found["/party"]["Data"]["Party"]["PartyId"]
        assert customer.customer_id not in owner["PartyId"]

    async def test_name_the_payees_once_one_was_paid(
        self, bank: Bank, standard: Standard, reader: Reader, customer: Customer
    ):
        connection = await bank.connect("payments")
        await connection.execute(
            "INSERT INTO payees VALUES ($1, $2, 'Corner Shop', now(), 1) ON CONFLICT DO NOTHING",
            customer.customer_id,
            customer.payee_id,
        )
        await connection.close()
        found = standard.check(await reader.get("/beneficiaries"))["Data"]["Beneficiary"]
        named = {
            (it["CreditorAccount"]["Identification"], it["CreditorAccount"]["Name"]) for it in found
        }
        assert named == {(customer.payee_id, "Corner Shop")}

    async def test_statements_join_month_to_month_and_hold_their_entries(
        self, standard: Standard, reader: Reader
    ):
        path = f"/accounts/{HISTORY}/statements"
        first = standard.check(await reader.get(path))
        assert "Data" in first, first
        listed = first["Data"]["Statement"]
        assert next(one["StatementId"] for one in listed) == last_month()
        assert len(listed) >= 3
        for younger, older in itertools.pairwise(listed):
            assert younger["StatementAmount"][0]["Amount"] == older["StatementAmount"][1]["Amount"]
        one = standard.check(await reader.get(f"{path}/{last_month()}"))["Data"]["Statement"]
        assert one == listed[:1]
        entries = standard.check(await reader.get(f"{path}/{last_month()}/transactions"))
        days = {it["BookingDateTime"][:7] for it in entries["Data"]["Transaction"]}
        assert days == {last_month()}
        for wrong in ("2999-01", "9999-12", "x", f"{date.today():%Y-%m}"):
            assert (
                standard.check(await reader.get(f"{path}/{wrong}"))["Errors"][0]["ErrorCode"]
                == "U011"
            )


class TestTransactions:
    async def test_pages_follow_each_other_without_gap_or_repeat(
        self, standard: Standard, reader: Reader
    ):
        path: str | None = f"/accounts/{HISTORY}/transactions"
        pages = []
        while path:
            page = standard.check(await reader.get(path))
            pages.append(page)
            following = page["Links"].get("Next")
            path = following and following.partition(AISP)[2]
        entries = [it for page in pages for it in page["Data"]["Transaction"]]
        assert [len(page["Data"]["Transaction"]) for page in pages] == [100, 100, 40]
        assert len({it["TransactionId"] for it in entries}) == 240
        numbers = [int(it["TransactionId"].rpartition("-")[2]) for it in entries]
        assert numbers == list(range(1, 241))
        assert {page["Meta"]["TotalPages"] for page in pages} == {3}
        assert "Prev" not in pages[0]["Links"]
        assert pages[1]["Links"]["Prev"] == pages[0]["Links"]["First"] == pages[2]["Links"]["First"]
        balance = 0
        for entry in entries:
            signed = 1 if entry["CreditDebitIndicator"] == "Credit" else -1
            balance += signed * round(float(entry["Amount"]["Amount"]) * 100)
            assert entry["Balance"]["Amount"]["Amount"] == f"{balance / 100:.2f}"
            side = "DebtorAccount" if signed > 0 else "CreditorAccount"
            assert entry[side]["Identification"].startswith("src-")

    async def test_are_those_of_the_days_asked_for_both_included(
        self, standard: Standard, reader: Reader
    ):
        first, last = (date.today() - timedelta(days=back) for back in (60, 40))
        query = f"fromBookingDateTime={first}&toBookingDateTime={last}T23:00:00"
        path = f"/accounts/{HISTORY}/transactions?{query}"
        found = standard.check(await reader.get(path))
        days = [it["BookingDateTime"][:10] for it in found["Data"]["Transaction"]]
        assert (min(days), max(days)) == (first.isoformat(), last.isoformat())
        assert "fromBookingDateTime" in urlsplit(found["Links"]["Self"]).query
        after = standard.check(
            await reader.get(
                f"/accounts/{HISTORY}/transactions?fromBookingDateTime={first}T00:00:01"
            )
        )
        assert (
            min(it["BookingDateTime"][:10] for it in after["Data"]["Transaction"])
            > first.isoformat()
        )
        nothing = f"/accounts/{HISTORY}/transactions?toBookingDateTime=1950-01-01"
        assert standard.check(await reader.get(nothing))["Data"]["Transaction"] == []

    async def test_stay_within_the_consents_own_period_and_direction(
        self, standard: Standard, app: App, customer: Customer
    ):
        first, last = (date.today() - timedelta(days=back) for back in (50, 30))
        codes = ["ReadAccountsBasic", "ReadTransactionsBasic", "ReadTransactionsCredits"]
        narrow = await Reader.with_consent(
            app,
            customer,
            codes,
            TransactionFromDateTime=f"{first}T00:00:00+08:00",
            TransactionToDateTime=f"{last}T00:00:00+08:00",
        )
        found = standard.check(await narrow.get(f"/accounts/{HISTORY}/transactions"))
        entries = found["Data"]["Transaction"]
        days = [it["BookingDateTime"][:10] for it in entries]
        assert first.isoformat() <= min(days)
        assert max(days) <= last.isoformat()
        assert {it["CreditDebitIndicator"] for it in entries} == {"Credit"}
        shown = {name for it in entries for name in it}
        assert not shown & {"Balance", "DebtorAccount", "TransactionInformation"}


class TestPermissions:
    async def test_open_what_they_name_and_nothing_else(
        self, standard: Standard, app: App, customer: Customer
    ):
        """Three consents that share no code but the least: every address under each."""
        least = "ReadAccountsBasic"
        sets = [
            [least],
            [least, "ReadBalances", "ReadBeneficiariesBasic", "ReadStatementsBasic", "ReadParty"],
            [
                least,
                "ReadStandingOrdersBasic",
                "ReadProducts",
                "ReadPartyPSU",
                "ReadTransactionsBasic",
                "ReadTransactionsDebits",
            ],
        ]
        for codes in sets:
            held = await Reader.with_consent(app, customer, codes)
            for path, needed in NEEDS.items():
                answer = await held.get(path)
                document = standard.check(answer)
                assert answer.status_code == (200 if needed & set(codes) else 403), path
                # No code here is a detailed one: neither numbers nor names of others are shown.
                if answer.status_code == 200:
                    for hidden in (
                        "CreditorAccount",
                        "CreditorAgent",
                        "StatementAmount",
                        "Account",
                    ):
                        items = next(iter(document["Data"].values()))
                        items = items if isinstance(items, list) else [items]
                        assert not any(hidden in item for item in items), (path, hidden)

    @pytest.mark.parametrize(
        "codes",
        [
            ["ReadBalances"],
            ["ReadAccountsBasic", "ReadTransactionsBasic"],
            ["ReadAccountsBasic", "ReadTransactionsDetail"],
            ["ReadAccountsBasic", "ReadTransactionsCredits"],
            ["ReadAccountsDetail", "ReadTransactionsDebits"],
            ["ReadAccountsBasic", "ReadEverything"],
            [],
        ],
    )
    async def test_are_refused_where_they_do_not_go_together(
        self, standard: Standard, app: App, codes: list[str]
    ):
        answer = await ask_consent(app, codes)
        assert answer.status_code == 400
        error = standard.check(answer)["Errors"][0]
        assert error["ErrorCode"] == "U002"
        assert error["Path"].startswith("Data.Permissions")


class TestConsent:
    async def test_goes_from_waiting_to_authorized_to_canceled(
        self, standard: Standard, app: App, customer: Customer
    ):
        held = await Reader.with_consent(app, customer)
        token = await own_token(app)
        path = f"{CONSENTS}/{held.consent_id}"
        read = standard.check(await send(app, "GET", path, token=token))
        assert read["Data"]["Status"] == "AUTH"
        assert read["Data"]["Permissions"] == EVERYTHING
        assert (await held.get("/accounts")).status_code == 200
        for _ in range(2):
            standard.check(await send(app, "DELETE", path, token=token))
        refused = await held.get("/accounts")
        assert refused.status_code == 401
        standard.check(refused)
        assert standard.check(await send(app, "GET", path, token=token))["Data"]["Status"] == "CANC"

    async def test_is_its_own_clients_alone_and_waits_for_the_customer(
        self, standard: Standard, bank: Bank, app: App, reader: Reader
    ):
        asked = standard.check(await ask_consent(app, EVERYTHING))
        assert asked["Data"]["Status"] == "AWAU"
        stranger = await new_app(bank, app.http, "stranger-obie")
        path = f"{CONSENTS}/{asked['Data']['ConsentId']}"
        for method in ("GET", "DELETE"):
            answer = await send(stranger, method, path, token=await own_token(stranger))
            assert answer.status_code == 400
            assert standard.check(answer)["Errors"][0]["ErrorCode"] == "U011"
        pushed = await stranger.push(openbanking_intent_id=asked["Data"]["ConsentId"])
        assert pushed.status_code == 400
        # A customer's token says nothing about what the client may do by itself.
        assert (await send(reader.app, "GET", path, token=reader.app.token)).status_code == 403

    async def test_authorized_anew_counts_for_the_accounts_of_that_time_alone(
        self, app: App, customer: Customer
    ):
        held = await Reader.with_consent(app, customer, accounts=(HISTORY,))
        anew = App(app.client_id, app.origin, app.http, app.key)
        await anew.tokens(await code_for(anew, customer, held.consent_id, customer.account_id))
        assert (await held.get("/accounts")).status_code == 401
        shown = (await Reader(anew, held.consent_id).get("/accounts")).json()["Data"]["Account"]
        assert [one["AccountId"] for one in shown] == [customer.account_id]

    async def test_cannot_end_before_it_begins(self, standard: Standard, app: App):
        past = await ask_consent(app, EVERYTHING, ExpirationDateTime="2020-01-01T00:00:00+00:00")
        assert standard.check(past)["Errors"][0]["ErrorCode"] == "U003"
        order = {
            "TransactionFromDateTime": "2026-05-01T00:00:00+08:00",
            "TransactionToDateTime": "2026-04-01T00:00:00+08:00",
        }
        turned = standard.check(await ask_consent(app, EVERYTHING, **order))["Errors"][0]
        assert turned["Path"] == "Data.TransactionToDateTime"

    async def test_shows_the_customer_who_looked_and_ends_at_the_next_call(
        self, standard: Standard, app: App, customer: Customer, http
    ):
        held = await Reader.with_consent(app, customer, accounts=(HISTORY,))
        told = "93bac548-d2de-4546-b106-880a5018460d"
        await held.get(f"/accounts/{HISTORY}/balances", x_fapi_interaction_id=told)
        outside = await held.get(f"/accounts/{customer.account_id}/balances")
        assert outside.status_code == 400
        assert standard.check(outside)["Errors"][0]["ErrorCode"] == "U011"
        me = await session_of(http, customer)
        listed = (await http.get("/v1/me/data-consents", headers=me)).json()["items"]
        mine = next(one for one in listed if one["consent_id"] == held.consent_id)
        assert (mine["state"], mine["looks"], mine["accounts"]) == ("authorized", 2, [HISTORY])
        assert mine["client_name"] == "Budget App"
        path = f"/v1/me/data-consents/{held.consent_id}"
        looks = (await http.get(f"{path}/accesses", headers=me)).json()["items"]
        assert looks[1]["interaction_id"] == told
        assert looks[1]["account_id"] == HISTORY
        assert looks[1]["resource"].endswith("/accounts/{account_id}/balances")
        ended = await http.post(f"{path}/revocation", headers=me)
        assert ended.json()["state"] == "revoked"
        assert (await held.get("/accounts")).status_code == 401
        # History stays: it can be read, and not even the service may change it.
        kept = (await http.get(f"{path}/accesses", headers=me)).json()["items"]
        assert kept == looks

    async def test_log_cannot_be_rewritten_by_the_service(self, bank: Bank, reader: Reader):
        connection = await bank.connect("gateway", owner=False)
        try:
            for change in ("DELETE FROM data_accesses", "UPDATE data_accesses SET resource = ''"):
                with pytest.raises(Exception, match="permission denied"):
                    await connection.execute(change)
        finally:
            await connection.close()


class TestErrors:
    async def test_are_the_standards_own_whoever_refuses(
        self, standard: Standard, app: App, reader: Reader
    ):
        token = await own_token(app)
        cases = [
            (await app.http.get(f"{AISP}/accounts"), 401),
            (await app.http.get(f"{AISP}/nothing-of-the-kind"), 404),
            (await app.http.put(f"{AISP}/accounts"), 405),
            (await reader.get("/accounts", accept="text/html"), 406),
            (await reader.get(f"/accounts/{HISTORY}/transactions?page=0"), 400),
            (await reader.get(f"/accounts/{HISTORY}/transactions?fromBookingDateTime=1"), 400),
            (
                await app.http.post(CONSENTS, content=b"x", headers={"content-type": "text/xml"}),
                415,
            ),
        ]
        raw = {
            "Authorization": f"DPoP {token}",
            "DPoP": app.proof("POST", CONSENTS, token=token),
            "Content-Type": "application/json",
        }
        cases.append((await app.http.post(CONSENTS, content=b"{", headers=raw), 400))
        raw["DPoP"] = app.proof("POST", CONSENTS, token=token)
        cases.append((await app.http.post(CONSENTS, content=b'{"a":"\\u0000"}', headers=raw), 400))
        for answer, status in cases:
            assert answer.status_code == status, answer.text
            standard.check(answer, among=(404,))
        missing = standard.check(await send(app, "POST", CONSENTS, token=token, body={"Data": {}}))
        assert {(it["ErrorCode"], it["Path"]) for it in missing["Errors"]} == {
            ("U004", "Data.Permissions"),
            ("U004", "Risk"),
        }
