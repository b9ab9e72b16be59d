"""Labels: what a decision turned out to be, told by a case, a chargeback or staff."""

import pytest

from tests.bank import Bank, eventually
from tests.risk.cases.support import Desk, take_and_judge, verdict


class TestLabel:
    async def test_of_a_chargeback_counts_instead_of_the_cases(self, desk: Desk):
        case_id = await desk.case()
        await take_and_judge(desk, "first", case_id, verdict())
        async with desk.staff("operator", "operator") as client:
            for _ in range(2):
                response = await client.post(
                    f"/v1/decisions/{case_id}/labels",
                    json={"label": "fraud", "source": "chargeback"},
                    headers={"Idempotency-Key": desk.unique},
                )
                assert response.status_code == 201, response.text
            labels = (await client.get(f"/v1/decisions/{case_id}/labels")).json()["items"]
        assert [(one["label"], one["source"]) for one in labels] == [
            ("honest", "case"),
            ("fraud", "chargeback"),
        ]

        async def both() -> bool:
            return len(await desk.bank.events("risk.label.v1", key=case_id)) == 2

        await eventually(both)

    async def test_cannot_be_changed_by_the_service(self, desk: Desk, bank: Bank):
        connection = await bank.connect("risk", owner=False)
        try:
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute("UPDATE labels SET label = 'honest'")
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute("DELETE FROM labels")
        finally:
            await connection.close()

    async def test_of_a_case_is_not_for_the_route(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("operator", "operator") as client:
            response = await client.post(
                f"/v1/decisions/{case_id}/labels",
                json={"label": "fraud", "source": "case"},
                headers={"Idempotency-Key": desk.unique},
            )
        assert response.status_code == 422
