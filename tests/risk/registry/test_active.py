"""Which models score in a process, as the registry in its database has them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from services.risk.engine import Engine
from services.risk.features import Windows
from services.risk.model_files import load_model, load_scorecard
from services.risk.policies.active import ActivePolicies
from services.risk.registry import repository, seeds
from services.risk.registry.active import EXPIRED, KEPT, ActiveModels
from services.risk.registry.contents import Content, checks_of, described
from services.risk.registry.repository import ChangeRow, ModelRow
from services.risk.rings.domain import Rings
from shared.kit.database import Database
from tests.risk.registry.support import ARTIFACTS, bytes_changed, content

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def engine(folder: Path = ARTIFACTS) -> Engine:
    return Engine(
        policies=ActivePolicies(),
        windows=Windows(),
        rings=Rings(),
        windows_age_ms=lambda: 0,
        model=load_model(folder),
        scorecard=load_scorecard(ARTIFACTS),
        behind_after_ms=1,
    )


async def planted(database: Database) -> None:
    async with database.transaction() as session:
        await seeds.plant(session, folder=ARTIFACTS, now=NOW)


async def followed(database: Database, has: Engine, *, now: datetime = NOW) -> ActiveModels:
    """A process that begins with this engine and looks into the registry once."""
    models = ActiveModels(has)
    async with database.statement() as session:
        await models.follow(session, now=now)
    return models


async def registered(
    database: Database, of: Content, *, state: str, valid_until: datetime | None = None
) -> str:
    """Straight into the tables, as the use cases would leave it; the label."""
    label = described(of).label
    async with database.transaction() as session:
        (present,) = await repository.of_product(session, "payment", state="champion")
        row = ModelRow(
            label=label,
            product="payment",
            kind=of.kind,
            sha256=of.sha256,
            checks=checks_of(of),
            owner="tests",
            note="a test",
            valid_from=NOW - timedelta(days=1),
            valid_until=valid_until,
            state="candidate",
            registered_by="s-author",
            registered_at=NOW,
        )
        await repository.insert_model(session, row, content=of, reference=None)
        if state == "champion":
            await repository.update_model(session, present, state="retired")
            values = {"promoted_by": "s-second", "promoted_at": NOW}
            await repository.update_model(session, row, state=state, **values)
        else:
            await repository.update_model(session, row, state=state)
        action = "promote" if state == "champion" else "challenge"
        change = ChangeRow("payment", label, action, present.label, "s-second", "a test", NOW)
        await repository.insert_change(session, change)
    return label


async def taken_back(database: Database, label: str) -> None:
    """The champion before is it again, so that the next test finds what it expects."""
    async with database.transaction() as session:
        row = await repository.model(session, label)
        assert row is not None
        await repository.update_model(session, row, state="retired")
        if row.state == "champion":
            (seed,) = [
                one
                for one in await repository.of_product(session, "payment", state="retired")
                if one.registered_by == "release"
            ]
            await repository.update_model(session, seed, state="champion")
        change = ChangeRow("payment", label, "retire", None, "s-second", "a test", NOW)
        await repository.insert_change(session, change)


class TestSeeds:
    async def test_are_planted_once_and_score_for_every_product(self, database: Database):
        await planted(database)
        await planted(database)
        models = await followed(database, engine())
        assert models.refused == {}
        for product in ("payment", "account_opening", "loan", "card"):
            assert models.of(product).model is not None
            assert models.of(product).flags == ()
        async with database.transaction() as session:
            rows = await repository.page(session, product=None, limit=100)
            history = await repository.changes_page(
                session, product="payment", before=None, limit=200
            )
        assert sorted(row.state for row in rows if row.product == "loan") == [
            "challenger",
            "champion",
        ]
        assert [change.action for change in history if change.changed_by == "release"] == ["seed"]

    async def test_that_are_altered_are_left_out(self, tmp_path: Path, database: Database):
        (tmp_path / "fraud.json").write_bytes((ARTIFACTS / "fraud.json").read_bytes()[:-40])
        assert seeds.packaged(tmp_path) == []
        assert load_model(tmp_path) is None


class TestChampion:
    async def test_takes_over_in_a_process_that_runs(self, database: Database):
        await planted(database)
        has = engine()
        models = await followed(database, has)
        before = has.model
        label = await registered(database, content("newer"), state="champion")
        async with database.statement() as session:
            await models.follow(session, now=NOW)
        assert has.model is not before
        assert (has.model and has.model.label, has.model_flags) == (label, ())
        await taken_back(database, label)
        async with database.statement() as session:
            await models.follow(session, now=NOW)
        assert has.model is not None
        assert has.model.label == "fraud-" + label_version(before)

    async def test_with_one_bit_flipped_never_scores_and_the_one_before_does(
        self, database: Database, registry_dsn: str
    ):
        await planted(database)
        label = await registered(database, content("flipped"), state="champion")
        dsn = registry_dsn.replace("+asyncpg", "")
        for at in (0, 1_000, 100_000):
            async with bytes_changed(dsn, label, at=at):
                has = engine()
                models = await followed(database, has)
            assert has.model is not None
            assert has.model.label.startswith("fraud-")
            assert has.model_flags == (KEPT,)
            assert "SHA-256" in models.refused[label]
        assert (await followed(database, has)).refused == {}
        assert (has.model.label, has.model_flags) == (label, ())
        await taken_back(database, label)

    async def test_that_is_whole_in_memory_scores_on_whatever_becomes_of_its_bytes(
        self, database: Database, registry_dsn: str
    ):
        await planted(database)
        label = await registered(database, content("whole"), state="champion")
        has = engine()
        models = await followed(database, has)
        async with bytes_changed(registry_dsn.replace("+asyncpg", ""), label):
            other = await registered(database, content("rival"), state="challenger")
            async with database.statement() as session:
                await models.follow(session, now=NOW)
        assert (has.model and has.model.label, has.model_flags) == (label, ())
        assert [one.label for one in models.challengers_of("payment")] == [other]
        for one in (other, label):
            await taken_back(database, one)

    async def test_stops_at_the_moment_that_its_validity_ends(self, database: Database):
        await planted(database)
        ends = NOW + timedelta(hours=1)
        label = await registered(database, content("ending"), state="champion", valid_until=ends)
        has = engine()
        models = await followed(database, has)
        for now, scores, flags in (
            (ends - timedelta(microseconds=1), label, ()),
            (ends, "fraud-", (EXPIRED,)),
        ):
            async with database.statement() as session:
                await models.follow(session, now=now)
            assert has.model is not None
            assert has.model.label.startswith(scores)
            assert has.model_flags == flags
        await taken_back(database, label)

    async def test_without_any_sound_one_leaves_the_scorecard(
        self, database: Database, registry_dsn: str, tmp_path: Path
    ):
        await planted(database)
        async with database.transaction() as session:
            (seed,) = await repository.of_product(session, "payment", state="champion")
        async with bytes_changed(registry_dsn.replace("+asyncpg", ""), seed.label):
            has = engine(tmp_path)
            models = await followed(database, has)
        assert (has.model, has.model_flags) == (None, ())
        assert set(models.refused) == {seed.label}
        # what is repaired is found without any change of the registry
        async with database.statement() as session:
            await models.follow(session, now=NOW + timedelta(seconds=31))
        assert has.model is not None
        assert has.model.label == seed.label

    async def test_that_is_another_model_than_was_registered_is_refused(self, database: Database):
        await planted(database)
        real = content("honest")
        label = await registered(database, real, state="champion")
        has = engine()
        models = ActiveModels(has)
        async with database.statement() as session:
            row = await repository.model(session, label)
            assert row is not None
            assert await models._load(session, replace(row, sha256=b"\0" * 32)) is None
        assert "another model" in models.refused[label]
        await taken_back(database, label)


class TestDatabase:
    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE models SET onnx = 'x' WHERE state = 'challenger'", "never changed"),
            ("UPDATE models SET valid_from = now() WHERE state = 'challenger'", "never changed"),
            ("UPDATE models SET state = 'candidate' WHERE state = 'champion'", "does not become"),
            ("DELETE FROM models", "never deleted"),
            ("TRUNCATE models CASCADE", "never changed or deleted"),
            ("UPDATE model_changes SET reason = 'x'", "never changed or deleted"),
        ],
    )
    async def test_guards_what_was_registered(self, database: Database, statement: str, words: str):

        await planted(database)
        with pytest.raises(Exception, match=words):
            async with database.transaction() as session:
                await session.execute(text(statement))


def label_version(model: object) -> str:
    return str(getattr(model, "label", "")).removeprefix("fraud-")
