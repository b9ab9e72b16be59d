"""What rings show as features: the same in training and serving, and never of the future."""

from datetime import datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.domain import reference_value_minor
from services.risk.features import FEATURE_NAMES
from services.risk.features.definitions import RING
from services.risk.training.fraud import Told, measure
from services.risk.training.simulation import HONEST, Labeled
from services.risk.windows import SeenPayment, in_ms
from tests.bank import Bank, eventually
from tests.risk.support import NOON, decided, minutes, payment, record
from tests.risk.test_feed import label
from tests.risk.test_windows import NOON_MS

NAMES = [feature.name for feature in RING]


def as_history(bodies: list[dict]) -> list[Labeled]:
    return [
        Labeled(
            SeenPayment(
                body["decision_id"],
                body["customer_id"],
                body["debtor_account"],
                body["creditor_account"],
                reference_value_minor(body["amount_minor"], body["currency"]),
                in_ms(datetime.fromisoformat(body["at"])),
                body.get("device_id"),
            ),
            HONEST,
        )
        for body in bodies
    ]


class TestRingFeatures:
    async def test_are_the_same_in_training_and_serving(self, bank: Bank, unique: str) -> None:
        device = f"device-{unique}"
        bodies: list[dict] = []
        served: list[dict[str, float | None]] = []
        async with bank.client("risk") as risk:

            async def serve(customer: str, **signals: str) -> dict[str, float | None]:
                body = payment(
                    unique,
                    customer_id=f"{customer}-{unique}",
                    debtor_account=f"{customer}-{unique}",
                    at=(NOON + minutes(len(bodies))).isoformat(),
                    **signals,
                )
                made = await decided(risk, bank, body)
                bodies.append(body)
                served.append((await record(bank, made["decision_id"]))["features"])
                return served[-1]

            await serve("mule", device_id=device)
            await serve("one", device_id=device)
            await serve("one")
            await serve("other", device_id=f"other-{unique}")
            await label(bank, bodies[0], "fraud")

            async def known() -> bool:
                return (await serve("one"))["ring_fraud_distance"] == 2

            await eventually(known)
            await serve("three", device_id=device)
            await serve("mule")
        known_from = next(i for i, found in enumerate(served) if found["ring_fraud_distance"])
        history = as_history(bodies)
        fraud = Told(
            f"mule-{unique}",
            bodies[0]["decision_id"],
            is_fraud=True,
            at_ms=history[known_from].payment.at_ms,
        )
        trained = measure(history, told=[fraud], inputs=FEATURE_NAMES).features
        expected = np.array(
            [[found[name] for name in FEATURE_NAMES] for found in served], dtype=np.float32
        )
        np.testing.assert_array_equal(trained, expected)
        last = [[served[i][name] for name in NAMES] for i in (-2, -1)]
        assert last == [[3, 3, 2], [3, 3, 0]]

    @settings(max_examples=40, deadline=None)
    @given(
        events=st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans(), st.booleans()),
            min_size=2,
            max_size=16,
        ),
        data=st.data(),
    )
    def test_never_look_into_the_future(
        self, events: list[tuple[int, int, bool, bool]], data: st.DataObject
    ) -> None:
        history, told = [], []
        for i, (customer, device, has_device, is_fraud) in enumerate(events):
            at_ms = NOON_MS + i * 60_000
            name = f"c{customer}"
            signal = f"device-{device}" if has_device else None
            seen = SeenPayment(f"p{i}", name, f"a{customer}", "shop", 100, at_ms, signal)
            history.append(Labeled(seen, HONEST))
            told.append(Told(name, f"p{i}", is_fraud=is_fraud, at_ms=at_ms + 30_000))
        cut = data.draw(st.integers(1, len(history)))
        whole = measure(history, told=told, inputs=NAMES).features
        upto = measure(history[:cut], told=told[: cut - 1], inputs=NAMES).features
        np.testing.assert_array_equal(whole[:cut], upto)
