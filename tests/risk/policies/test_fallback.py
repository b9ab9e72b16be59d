"""What decides where the version in force is broken or missing in the database."""

import json

from services.risk.policies.seeds import seed
from tests.bank import Bank
from tests.risk.policies.support import active, in_force, staff, with_ceiling, written
from tests.risk.support import another_risk, decided, payment

_INSERT = """
    INSERT INTO policy_versions (product, version, graph, tests, note, state, author, drafted_at,
                                 proposed_at, approved_by, approved_at)
    VALUES ('payment', $1, $2, $3, 'broken', 'approved', 'nobody', now(), now(), 'somebody', now())
"""
_ACTIVATE = """
    INSERT INTO policy_activations (product, version, action, previous, activated_by, reason,
                                    activated_at)
    VALUES ('payment', $1, $2, $3, 'nobody', 'by hand', now())
"""


class TestBrokenVersion:
    async def test_never_decides_and_the_last_good_one_goes_on_flagged(
        self, bank: Bank, unique: str
    ):
        async with staff(bank, "s-author") as author:
            body = await with_ceiling(author, 8_000_000)
            async with in_force(bank, "payment", body) as good:
                made = await decided(author, bank, payment(unique))
                assert (made["policy"], made["degraded"]) == (f"payment-{good}", [])
                number = f"2000.{int(unique[:4], 36) % 900_000 + 1}"
                owner = await bank.connect("risk")
                tests = json.dumps(seed("payment").tests)
                try:
                    await owner.execute(_INSERT, number, '{"nodes": []}', tests)
                    await owner.execute(_ACTIVATE, number, "activate", good)
                    made = await decided(author, bank, payment(unique))
                    assert made["policy"] == f"payment-{good}"
                    assert made["degraded"] == ["policy_fallback"]
                    assert (await active(author, "payment"))["is_fallback"]
                    async with another_risk(bank) as started_now:
                        made = await decided(started_now, bank, payment(unique))
                    assert made["policy"] == "payment-2026.1"
                    assert "policy_fallback" in made["degraded"]
                finally:
                    await owner.close()
                    back = await written(author, "payment/roll-back")
                assert (back["version"], back["previous"]) == (good, number)
                made = await decided(author, bank, payment(unique))
                assert (made["policy"], made["degraded"]) == (f"payment-{good}", [])
