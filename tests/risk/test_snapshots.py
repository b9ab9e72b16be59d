"""The windows' snapshot: a start from file and tail is a start from everything."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.risk import snapshots
from services.risk.features import Windows
from services.risk.rings.domain import Rings
from services.risk.snapshots import SnapshotRefused
from services.risk.windows import Limits, SeenPayment
from tests.bank import Bank, eventually
from tests.risk.support import NOON, another_risk, decided, minutes, payment, publish, record
from tests.risk.test_windows import NOON_MS, assert_same, histories

OFFSETS = {("payments.payment.v1", 0): 7, ("payments.payment.v1", 3): 12}


def write(windows: Windows, path: Path) -> None:
    for _ in snapshots.written(windows, Rings(), path, offsets=OFFSETS, bus="postgres"):
        pass


def filled() -> Windows:
    windows = Windows()
    for i in range(40):
        windows.observe(
            SeenPayment(f"p{i}", f"c{i % 3}", "a", f"客{i % 5}", i, NOON_MS + i, f"device-{i % 4}")
        )
    return windows


class TestSnapshot:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(arrivals=histories(), data=st.data())
    def test_with_the_tail_gives_what_all_payments_give(
        self, tmp_path: Path, arrivals: list[SeenPayment], data: st.DataObject
    ) -> None:
        path = tmp_path / "windows.snapshot"
        kept, whole = Windows(), Windows()
        cut = data.draw(st.integers(0, len(arrivals)))
        overlap = data.draw(st.integers(0, cut))
        for i, entry in enumerate(arrivals):
            whole.observe(entry)
            if i < cut:
                kept.observe(entry)
        write(kept, path)
        restored = Windows()
        assert snapshots.read(path, restored, Rings(), bus="postgres") == OFFSETS
        # what was counted while the file was written comes a second time
        for entry in arrivals[overlap:]:
            restored.observe(entry)
        for entry in arrivals:
            assert_same(restored.measure(entry), whole.measure(entry))
        assert restored.size() == whole.size()

    def test_holds_what_comes_in_while_it_is_written(self, tmp_path: Path) -> None:
        windows, path = filled(), tmp_path / "windows.snapshot"
        later = SeenPayment("late", "c9", "a9", "x", 5, NOON_MS + 99)
        for _ in snapshots.written(windows, Rings(), path, offsets=OFFSETS, bus="postgres"):
            windows.observe(later)
        restored = Windows()
        snapshots.read(path, restored, Rings(), bus="postgres")
        assert_same(restored.measure(later), windows.measure(later))
        assert list(tmp_path.iterdir()) == [path]

    @given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
    def test_with_one_bit_changed_is_refused(
        self, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
    ) -> None:
        path = tmp_path_factory.mktemp("snapshot") / "windows.snapshot"
        write(filled(), path)
        content = bytearray(path.read_bytes())
        content[place % len(content)] ^= 1 << bit
        path.write_bytes(content)
        windows = Windows()
        with pytest.raises(SnapshotRefused):
            snapshots.read(path, windows, Rings(), bus="postgres")
        assert set(windows.size().values()) == {0}

    def test_carries_the_rings(self, tmp_path: Path) -> None:
        path, rings, restored = tmp_path / "windows.snapshot", Rings(), Rings()
        for i in range(600):
            rings.link(f"c{i}", ("device", f"d{i // 2}"))
        rings.flag("c1", cause="one", is_fraud=True)
        rings.flag(("device", "d2"), cause="two", is_fraud=True, until_ms=NOON_MS)
        for _ in snapshots.written(Windows(), rings, path, offsets=OFFSETS, bus="postgres"):
            pass
        snapshots.read(path, Windows(), restored, bus="postgres")
        assert list(restored.edges()) == list(rings.edges())
        assert list(restored.flags()) == list(rings.flags())
        assert restored.ring("c0") == rings.ring("c0")
        assert (restored.ring("c0").size, restored.ring("c0").fraud_distance) == (2, 2)

    def test_cut_short_or_absent_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "windows.snapshot"
        write(filled(), path)
        content = path.read_bytes()
        for length in (0, 5, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:length])
            with pytest.raises(SnapshotRefused):
                snapshots.read(path, Windows(), Rings(), bus="postgres")
        with pytest.raises(SnapshotRefused, match="not readable"):
            snapshots.read(tmp_path / "none", Windows(), Rings(), bus="postgres")

    def test_of_other_limits_or_another_bus_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "windows.snapshot"
        write(filled(), path)
        with pytest.raises(SnapshotRefused, match="another"):
            snapshots.read(path, Windows(), Rings(), bus="kafka")
        with pytest.raises(SnapshotRefused, match="another"):
            snapshots.read(path, Windows(Limits(entries=9)), Rings(), bus="postgres")


class TestStart:
    async def test_from_a_snapshot_knows_what_was_before_and_after_it(
        self, bank: Bank, unique: str, tmp_path: Path
    ):
        file = tmp_path / "windows.snapshot"
        given = {"SNAPSHOT_DIR": str(tmp_path), "SNAPSHOT_EVERY_S": "0.2"}
        before = [payment(unique, at=(NOON - minutes(i)).isoformat()) for i in range(1, 4)]
        await publish(bank, before)

        async def ready() -> bool:
            return (await risk.get("/readyz")).status_code == 200

        async def kept() -> bool:
            return file.exists()

        async with another_risk(bank, **given) as risk:
            await eventually(ready)
            await eventually(kept)
        later = [payment(unique, at=(NOON - minutes(i)).isoformat()) for i in range(4, 6)]
        await publish(bank, later)
        async with another_risk(bank, **given) as risk:
            await eventually(ready)
            made = await decided(risk, bank, payment(unique))
        assert (await record(bank, made["decision_id"]))["features"]["customer_count_1h"] == 6
        assert '"windows.restored"' in (bank.folder / "another-risk.jsonl").read_text()

    async def test_from_a_damaged_snapshot_reads_the_whole_bus(
        self, bank: Bank, unique: str, tmp_path: Path
    ):
        (tmp_path / "windows.snapshot").write_bytes(b"not one")
        await publish(bank, [payment(unique, at=(NOON - minutes(1)).isoformat())])

        async def ready() -> bool:
            return (await risk.get("/readyz")).status_code == 200

        async with another_risk(bank, SNAPSHOT_DIR=str(tmp_path)) as risk:
            await eventually(ready)
            made = await decided(risk, bank, payment(unique))
        assert (await record(bank, made["decision_id"]))["features"]["customer_count_1h"] == 2
