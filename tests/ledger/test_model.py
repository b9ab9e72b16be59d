"""The ledger against a model in plain Python: any history of transfers and holds agrees."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.kit.clock import new_id
from tests.bank import Bank
from tests.ledger.support import transfer

AMOUNTS = st.integers(1, 120)
SIDES = st.integers(0, 2)


@dataclass
class Model:
    """Three customers' accounts with floors, and a source without one."""

    floors: list[int]
    posted: list[int] = field(default_factory=lambda: [0, 0, 0])
    held: list[int] = field(default_factory=lambda: [0, 0, 0])

    def post(self, legs: list[tuple[int, int]]) -> bool:
        """Post signed legs by account, or refuse: the floor counts what the transfer takes."""
        net = [0, 0, 0]
        for side, amount in legs:
            net[side] += amount
        for side in range(3):
            after = self.posted[side] + net[side] - self.held[side]
            if net[side] < 0 and after < self.floors[side]:
                return False
        self.posted = [a + b for a, b in zip(self.posted, net, strict=True)]
        return True

    def hold(self, side: int, amount: int) -> bool:
        if self.posted[side] - self.held[side] - self.floors[side] < amount:
            return False
        self.held[side] += amount
        return True


class Client:
    """Synchronous calls to a running ledger, as operator and as payments."""

    def __init__(self, bank: Bank) -> None:
        url = bank.start("ledger")
        staff, payments = bank.staff_token(), bank.token("ledger", caller="payments")
        self.operator = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {staff}"}, timeout=30
        )
        self.payments = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {payments}"}, timeout=30
        )

    def open(self, account_id: str, floor: int | None) -> None:
        body = {
            "account_id": account_id,
            "chart_code": "2011" if floor is not None else "1001",
            "currency": "CNY",
            "floor_minor": floor,
        }
        assert self.operator.post("/v1/accounts", json=body).status_code == 201

    def accounts(self, floors: list[int]) -> list[str]:
        """Three new accounts with these floors, and the number of a source without one."""
        word = new_id().hex[:16]
        names = [f"{side}-{word}" for side in range(3)]
        for name, floor in zip(names, floors, strict=True):
            self.open(name, floor)
        self.open(f"src-{word}", None)
        return [*names, f"src-{word}"]

    def close(self) -> None:
        self.operator.close()
        self.payments.close()


class TestBatch:
    @settings(max_examples=15)
    @given(
        floors=st.lists(st.integers(-50, 0), min_size=3, max_size=3),
        moves=st.lists(st.tuples(SIDES, SIDES, AMOUNTS), min_size=1, max_size=25),
        funding=st.lists(st.integers(1, 200), min_size=3, max_size=3),
    )
    def test_posted_as_a_set_equals_posting_one_after_the_other(
        self,
        bank: Bank,
        floors: list[int],
        moves: list[tuple[int, int, int]],
        funding: list[int],
    ):
        client = Client(bank)
        names = client.accounts(floors)
        model = Model(floors)
        batch = []
        expected = []
        for side, amount in enumerate(funding):
            batch.append(transfer((names[3], -amount), (names[side], amount)))
            expected.append(model.post([(side, amount)]))
        for debit, credit, amount in moves:
            batch.append(transfer((names[debit], -amount), (names[credit], amount)))
            expected.append(model.post([(debit, -amount), (credit, amount)]))
        answer = client.operator.post("/v1/transfers/bulk", json={"transfers": batch})
        outcomes = [item["outcome"] == "posted" for item in answer.json()["items"]]
        assert outcomes == expected
        for side in range(3):
            reply = client.operator.get(f"/v1/accounts/{names[side]}").json()
            assert reply["balance"]["posted_minor"] == model.posted[side]
        client.close()


class LedgerMachine(RuleBasedStateMachine):
    """Random histories; after each step balances and holds agree with the model."""

    client: Client

    def __init__(self) -> None:
        super().__init__()
        self.open_holds: dict[str, tuple[int, int, int]] = {}
        self.ended: list[str] = []

    @initialize(floors=st.lists(st.integers(-50, 0), min_size=3, max_size=3))
    def begin(self, floors: list[int]) -> None:
        self.names = self.client.accounts(floors)
        self.model = Model(floors)

    @rule(side=SIDES, amount=AMOUNTS)
    def fund(self, side: int, amount: int) -> None:
        body = transfer((self.names[3], -amount), (self.names[side], amount))
        assert self.client.operator.post("/v1/transfers", json=body).status_code == 201
        self.model.post([(side, amount)])

    @rule(debit=SIDES, credit=SIDES, amount=AMOUNTS, twice=st.booleans())
    def pay(self, debit: int, credit: int, amount: int, twice: bool) -> None:
        body = transfer((self.names[debit], -amount), (self.names[credit], amount))
        taken = self.model.post([(debit, -amount), (credit, amount)])
        status = self.client.operator.post("/v1/transfers", json=body).status_code
        assert status == (201 if taken else 422)
        if twice and taken:
            assert self.client.operator.post("/v1/transfers", json=body).status_code == 201

    @rule(side=SIDES, destination=SIDES, amount=AMOUNTS)
    def place(self, side: int, destination: int, amount: int) -> None:
        hold_id = str(new_id())
        body = {
            "hold_id": hold_id,
            "account_id": self.names[side],
            "destination_id": self.names[destination],
            "amount_minor": amount,
            "currency": "CNY",
            "expires_in_s": 3600,
        }
        taken = self.model.hold(side, amount)
        response = self.client.payments.post("/v1/holds", json=body)
        assert response.status_code == (201 if taken else 422), response.text
        if taken:
            self.open_holds[hold_id] = (side, destination, amount)

    @rule(data=st.data())
    def end(self, data: Any) -> None:
        """Capture all or a part, or release, any hold that ever was."""
        if not self.open_holds and not self.ended:
            return
        hold_id = data.draw(st.sampled_from([*self.open_holds, *self.ended]))
        known = self.open_holds.pop(hold_id, None)
        wanted = data.draw(AMOUNTS)
        if data.draw(st.booleans()):
            status = self._release(hold_id)
            if known is None:
                assert status in {200, 409}
                return
            self.model.held[known[0]] -= known[2]
            self.ended.append(hold_id)
            assert status == 200
            return
        status = self._capture(hold_id, wanted)
        if known is None:
            assert status == 409
        elif wanted > known[2]:
            assert status == 422
            self.open_holds[hold_id] = known
        else:
            side, destination, amount = known
            self.model.held[side] -= amount
            self.model.posted[side] -= wanted
            self.model.posted[destination] += wanted
            self.ended.append(hold_id)
            assert status == 200

    def _release(self, hold_id: str) -> int:
        return self.client.payments.post(f"/v1/holds/{hold_id}/release").status_code

    def _capture(self, hold_id: str, amount: int) -> int:
        body = {"transfer_id": str(new_id()), "kind": "payment", "amount_minor": amount}
        path = f"/v1/holds/{hold_id}/capture"
        return self.client.payments.post(path, json=body).status_code

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "names"):
            return
        for side in range(3):
            balance = self.client.operator.get(f"/v1/accounts/{self.names[side]}").json()["balance"]
            assert balance["posted_minor"] == self.model.posted[side]
            assert balance["held_minor"] == self.model.held[side]


class TestLedger:
    @pytest.fixture(autouse=True)
    def _client(self, bank: Bank) -> Any:
        LedgerMachine.client = Client(bank)
        yield
        LedgerMachine.client.close()

    def test_agrees_with_its_model_over_any_history(self):
        run_state_machine_as_test(
            LedgerMachine, settings=settings(max_examples=8, stateful_step_count=20)
        )
