"""`make verify` reads the log where it lies on Kafka, and finds what is wrong with it there."""

import json
from collections.abc import Iterator

import pytest

from shared.contracts.topics import SERVICES
from shared.kit.clock import new_id
from tests.bank import Bank, running_bank
from tests.broker import Broker
from tests.verify.test_verify import PLANTED, Books, settled_books

pytestmark = pytest.mark.kafka
#: The breaches that the log has a part in.
OF_THE_LOG = ("outbox of payments is in the log", "inboxes are complete")


@pytest.fixture(scope="module")
def own_bank(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Bank]:
    with running_bank(tmp_path_factory.mktemp("verified-kafka")) as running:
        for service in SERVICES:
            running.extra_settings[service] = broker.settings()
        kept = {"kind": "the Kafka it was given", "settings": broker.settings()}
        (running.folder / "secrets/bus.json").write_text(json.dumps(kept))
        yield running


@pytest.fixture(scope="module")
async def books(own_bank: Bank, broker: Broker) -> Books:
    from deploy.verify.kafka_log import KafkaLog

    log = KafkaLog(broker.settings(), topics=["payments.payment.v1"], groups=["profiles"])

    async def profiles_committed() -> bool:
        return bool([done async for done in log.committed()])

    found = await settled_books(own_bank, profiles_committed=profiles_committed)
    await log.close()
    return found


class TestVerify:
    def test_holds_for_a_sound_bank_and_counts(self, books: Books):
        code, said, report = books.verify()
        assert code == 0, said
        counted = {finding["name"]: finding["counted"] for finding in report}
        assert counted["settled payments equal transfers"] == 1
        assert counted["inboxes are complete"] > 0
        assert counted["outbox of payments is in the log"] >= 2

    @pytest.mark.parametrize("name", OF_THE_LOG)
    async def test_finds_a_planted_breach(self, books: Books, name: str):
        database, wrong, right = PLANTED[name]
        words = {"payment": books.payment_id, "debtor": books.debtor, "other": str(new_id())}
        await books.plant(database, wrong.format(**words))
        try:
            code, said, report = books.verify()
        finally:
            await books.plant(database, right.format(**words))
        assert code != 0
        assert "Traceback" not in said
        assert name in {finding["name"] for finding in report if finding["breaches"]}

    def test_of_a_broker_that_is_away_is_one_clear_line(self, books: Books):
        file = books.bank.folder / "secrets/bus.json"
        kept = file.read_text()
        away = {"kind": "the Kafka it was given"}
        away["settings"] = {"BUS": "kafka", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        file.write_text(json.dumps(away))
        try:
            code, said, _ = books.verify()
        finally:
            file.write_text(kept)
        assert code != 0
        assert "Traceback" not in said
        assert "cannot be read" in said
