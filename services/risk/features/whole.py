"""All features of a payment, from the windows and from the rings. Training and serving call this.

A value of a ring is what was known when the payment was decided: who had told which device by
then, and who was known fraud by then. So training walks its history in order, and hears of each
label when it was told, not before.
"""

import math

from services.risk.features.measuring import Windows
from services.risk.rings.domain import Ring, Rings
from services.risk.windows import SeenPayment


def measured(
    windows: Windows, rings: Rings, payment: SeenPayment, *, now_ms: int
) -> tuple[dict[str, float], Ring]:
    """Counts the payment in; its features by name, NaN where one is missing, and its ring."""
    values = windows.measure(payment)
    if payment.device_id is not None:
        rings.link(payment.customer_id, ("device", payment.device_id))
    ring = rings.ring(payment.customer_id, now_ms=now_ms)
    distance = ring.fraud_distance
    values["ring_size"] = ring.size
    values["ring_shared"] = ring.shared
    values["ring_fraud_distance"] = math.nan if distance is None else distance
    return values, ring
