"""The black list, met over HTTP."""

from tests.bank import Bank, eventually
from tests.risk.support import decided, payment


class TestBlackList:
    async def test_declines_payments_to_a_listed_account_until_it_is_removed(
        self, bank: Bank, unique: str
    ):
        mule = f"mule-{unique}"
        async with bank.client("risk", roles=("operator",)) as staff:
            listed = await staff.post(
                "/v1/listed-accounts",
                json={"account_id": mule, "reason": "police notice"},
                headers={"idempotency-key": f"on-{unique}"},
            )
            assert listed.status_code == 201
            made = await decided(staff, bank, payment(unique, creditor_account=mule))
            assert made["outcome"] == "decline"
            assert [reason["code"] for reason in made["reasons"]] == ["payee_listed"]
            removed = await staff.post(
                f"/v1/listed-accounts/{mule}/removal",
                json={"reason": "notice withdrawn"},
                headers={"idempotency-key": f"off-{unique}"},
            )
            assert removed.json() == listed.json()
            made = await decided(staff, bank, payment(unique, creditor_account=mule))
            assert made["outcome"] == "approve"

    async def test_answers_the_same_key_with_the_same_and_another_with_a_conflict(
        self, bank: Bank, unique: str
    ):
        body = {"account_id": f"mule-{unique}", "reason": "police notice"}
        async with bank.client("risk", roles=("operator",)) as staff:
            answers = [
                await staff.post(
                    "/v1/listed-accounts", json=body, headers={"idempotency-key": f"k-{unique}"}
                )
                for _ in range(2)
            ]
            assert answers[0].json() == answers[1].json()
            again = await staff.post(
                "/v1/listed-accounts", json=body, headers={"idempotency-key": f"k2-{unique}"}
            )
            assert (again.status_code, again.json()["code"]) == (409, "account_listed")
            other = await staff.post(
                "/v1/listed-accounts/nobody/removal",
                json={"reason": "by mistake"},
                headers={"idempotency-key": f"k3-{unique}"},
            )
            assert (other.status_code, other.json()["code"]) == (404, "account_not_listed")

    async def test_is_read_page_by_page(self, bank: Bank, unique: str):
        accounts = [f"page-{unique}-{i}" for i in range(3)]
        async with bank.client("risk", roles=("operator",)) as staff:
            for account in accounts:
                await staff.post(
                    "/v1/listed-accounts",
                    json={"account_id": account, "reason": "test"},
                    headers={"idempotency-key": account},
                )
            query = {"after": f"page-{unique}", "limit": 2}
            page = (await staff.get("/v1/listed-accounts", params=query)).json()["items"]
            assert [item["account_id"] for item in page] == accounts[:2]
            assert page[0]["listed_by"] == "s-tester"

    async def test_tells_the_audit_log_who_did_it(self, bank: Bank, unique: str):
        account = f"mule-{unique}"
        async with bank.client("risk", roles=("operator",)) as staff:
            await staff.post(
                "/v1/listed-accounts",
                json={"account_id": account, "reason": "police notice"},
                headers={"idempotency-key": f"k-{unique}"},
            )

        async def told() -> list[dict]:
            events = await bank.events("identity.audit.v1", key="s-tester")
            return [event["data"] for event in events if event["data"]["subject"] == account]

        (act,) = await eventually(told)
        assert (act["service"], act["action"]) == ("risk", "account.list")
        assert act["reason"] == "police notice"

    async def test_is_for_operators_alone(self, bank: Bank):
        body = {"account_id": "x", "reason": "y"}
        headers = {"idempotency-key": "k"}
        async with bank.client("risk", roles=("reviewer",)) as reviewer:
            response = await reviewer.post("/v1/listed-accounts", json=body, headers=headers)
            assert response.status_code == 403
            assert (await reviewer.get("/v1/listed-accounts")).status_code == 403
        async with bank.client("risk", caller="payments") as payments:
            assert (await payments.get("/v1/listed-accounts")).status_code == 403
