"""Use cases of policies: draft, test, propose, approve, activate, roll back. One transaction each.

Whoever wrote a version does not approve it, and nothing is proposed, approved or put in force
whose tests do not all pass.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from services.risk.policies import repository, trials
from services.risk.policies.active import ActivePolicies
from services.risk.policies.contents import content_of, read
from services.risk.policies.domain import PRODUCTS, PolicyRefused, Product
from services.risk.policies.facts import check_facts
from services.risk.policies.repository import ActivationRow, VersionRow
from services.risk.policies.trials import TrialReport
from shared.contracts.events.audit import StaffActed
from shared.contracts.http import risk_policies as contract
from shared.contracts.http.risk import Outcome
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.problems import BankError, InvalidRequest

SOURCE = "risk"


class PolicyVersionNotFound(BankError):
    status, code, title = 404, "policy_version_not_found", "There is no such version"


class PolicyState(BankError):
    status, code, title = 409, "policy_state", "The version's state does not allow this"


class FourEyes(BankError):
    status, code, title = 403, "four_eyes", "Another person has to do this"


class PolicyTestsFailed(BankError):
    status, code, title = 422, "policy_tests_failed", "The version does not pass its tests"


class NothingBefore(BankError):
    status, code, title = 409, "nothing_before", "No version was in force before this one"


@dataclass(frozen=True, slots=True)
class Act:
    """A step of a version: who takes it, when and why."""

    product: Product
    version: str
    reason: str
    caller: Caller
    now: datetime


async def in_force(session: Session, *, policies: ActivePolicies) -> contract.ActivePolicies:
    """What is in force by product, and what this process decides by."""
    items = []
    for product in PRODUCTS:
        last = await repository.last_activation(session, product=product)
        if last is None:
            continue
        program, flags = policies.of(product)
        items.append(
            contract.ActivePolicy(
                product=product,
                version=last.version,
                deciding=program.label,
                is_fallback=bool(flags),
                activated_by=last.activated_by,
                activated_at=last.activated_at,
            )
        )
    return contract.ActivePolicies(items=items)


async def versions(
    session: Session, *, product: Product, before: str | None, limit: int
) -> contract.VersionSummaries:
    """A product's versions, the newest first."""
    rows = await repository.versions_page(session, product=product, before=before, limit=limit)
    return contract.VersionSummaries(items=[_summary(row) for row in rows])


async def read_version(
    session: Session, *, product: Product, version: str
) -> contract.PolicyVersion:
    """Raises PolicyVersionNotFound."""
    return _whole(await found(session, product=product, version=version))


async def history(
    session: Session, *, product: Product, before: int | None, limit: int
) -> contract.Activations:
    """What was in force when, the newest first."""
    rows = await repository.activations_page(session, product=product, before=before, limit=limit)
    return contract.Activations(items=[_activation(row) for row in rows])


async def draft(
    session: Session, *, product: Product, body: contract.WritePolicy, caller: Caller, now: datetime
) -> contract.PolicyVersion:
    """A new version: the one in force with changes, or a graph of its own.

    Raises InvalidRequest with the field that no policy may have.
    """
    await repository.lock(session, product)
    last = await repository.last_activation(session, product=product)
    if last is None:
        raise PolicyVersionNotFound("No version of this product is in force yet")
    base = await found(session, product=product, version=last.version)
    graph, tests = content_of(base, body)
    row = VersionRow(
        product=product,
        version=_next_number(await repository.numbers(session, product), year=now.year),
        graph=graph,
        tests=tests,
        based_on=base.version,
        note=body.note,
        state="draft",
        author=_staff(caller),
        drafted_at=now,
    )
    read(row)
    await repository.insert_version(session, row)
    await _audit(session, row, Act(product, row.version, body.note, caller, now), "policy.draft")
    return _whole(row)


async def rewrite(
    session: Session,
    *,
    product: Product,
    version: str,
    body: contract.WritePolicy,
    caller: Caller,
    now: datetime,
) -> contract.PolicyVersion:
    """Change a draft. Raises PolicyState once it is proposed, FourEyes for another's draft."""
    act = Act(product, version, body.note, caller, now)
    row = await _of_author(session, act)
    _check_state(row, "draft")
    graph, tests = content_of(row, body)
    read(replace(row, graph=graph, tests=tests))
    row = await repository.update_version(session, row, graph=graph, tests=tests, note=body.note)
    await _audit(session, row, act, "policy.rewrite")
    return _whole(row)


async def tested(row: VersionRow) -> contract.TestReport:
    """Run a version's tests. Raises InvalidRequest where it cannot be read any more."""
    report = await _trial(row)
    cases = [
        contract.CaseReport(
            name=case.name,
            passed=case.passed,
            differences=[
                contract.Difference(answer=name, expected=expected, found=value)
                for name, (expected, value) in case.differences.items()
            ],
            trace=list(case.trace),
        )
        for case in report.cases
    ]
    return contract.TestReport(passed=report.passed, cases=cases, unproven=list(report.unproven))


def ruled(row: VersionRow, facts: Mapping[str, Any]) -> contract.Ruling:
    """Try a version on some facts; nothing is kept. Raises InvalidRequest."""
    program, _ = read(row)
    try:
        check_facts(facts, product=program.product, field="facts")
    except PolicyRefused as error:
        raise InvalidRequest(field=error.field, expected=error.expected) from None
    ruling = program.ruling(facts)
    return contract.Ruling(
        outcome=cast("Outcome", ruling.outcome.word),
        reason_codes=list(ruling.reason_codes),
        policy=ruling.policy,
        trace=list(ruling.trace),
        degraded=list(ruling.degraded),
        grade=ruling.grade,
        limit_minor=ruling.limit_minor,
        price_bps=ruling.price_bps,
        step_up=ruling.step_up,
    )


async def propose(session: Session, *, act: Act) -> contract.VersionSummary:
    """The author asks for approval. Raises PolicyTestsFailed, PolicyState, FourEyes."""
    row = await _of_author(session, act)
    _check_state(row, "draft")
    await _check_tests(row)
    row = await repository.update_version(session, row, state="proposed", proposed_at=act.now)
    await _audit(session, row, act, "policy.propose")
    return _summary(row)


async def approve(session: Session, *, act: Act) -> contract.VersionSummary:
    """A second person approves. Raises FourEyes for the author, PolicyTestsFailed."""
    row = await _of_another(session, act)
    await _check_tests(row)
    row = await repository.update_version(
        session, row, state="approved", approved_by=_staff(act.caller), approved_at=act.now
    )
    await _audit(session, row, act, "policy.approve")
    return _summary(row)


async def reject(session: Session, *, act: Act) -> contract.VersionSummary:
    """A second person refuses; the version ends there. Raises FourEyes for the author."""
    row = await _of_another(session, act)
    row = await repository.update_version(session, row, state="rejected")
    await _audit(session, row, act, "policy.reject")
    return _summary(row)


async def activate(session: Session, *, act: Act) -> contract.Activation:
    """Put an approved version in force: every decision from the commit on is made by it.

    Raises PolicyState for one that is not approved, PolicyTestsFailed.
    """
    await repository.lock(session, act.product)
    row = await found(session, product=act.product, version=act.version)
    _check_state(row, "approved")
    return await _put_in_force(session, row, act, action="activate")


async def roll_back(
    session: Session, *, product: Product, reason: str, caller: Caller, now: datetime
) -> contract.Activation:
    """Put the version before the present one in force again, in one call.

    Twice is two versions back, not to and fro. Raises NothingBefore.
    """
    await repository.lock(session, product)
    last = await repository.last_activation(session, product=product)
    came = last and await repository.last_activation(session, product=product, version=last.version)
    if came is None or came.previous is None:
        raise NothingBefore(f"No version of {product} was in force before")
    row = await found(session, product=product, version=came.previous)
    act = Act(product, row.version, reason, caller, now)
    return await _put_in_force(session, row, act, action="roll_back")


async def found(session: Session, *, product: Product, version: str) -> VersionRow:
    """Raises PolicyVersionNotFound."""
    row = await repository.version(session, product=product, version=version)
    if row is None:
        raise PolicyVersionNotFound(f"There is no version {version} of {product}")
    return row


async def _put_in_force(
    session: Session, row: VersionRow, act: Act, *, action: str
) -> contract.Activation:
    await _check_tests(row)
    last = await repository.last_activation(session, product=row.product)
    previous = None if last is None else last.version
    await repository.retire(session, product=row.product, but=row.version)
    if row.state != "active":
        await repository.update_version(session, row, state="active")
    activation = ActivationRow(
        row.product, row.version, action, previous, _staff(act.caller), act.reason, act.now
    )
    await repository.insert_activation(session, activation)
    await _audit(session, row, act, f"policy.{action}")
    made = await repository.last_activation(session, product=row.product)
    return _activation(made or activation)


async def _trial(row: VersionRow) -> TrialReport:
    """The tests in a thread of their own: decisions go on meanwhile."""
    program, cases = read(row)
    return await asyncio.to_thread(trials.run, program, cases, content=row.graph)


async def _check_tests(row: VersionRow) -> None:
    report = await _trial(row)
    if not report.passed:
        failing = next((i for i, case in enumerate(report.cases) if not case.passed), None)
        field = "tests.cases" if failing is None else f"tests.cases.{failing}"
        raise PolicyTestsFailed(field=field, expected=report.complaint())


async def _of_author(session: Session, act: Act) -> VersionRow:
    await repository.lock(session, act.product)
    row = await found(session, product=act.product, version=act.version)
    if row.author != _staff(act.caller):
        raise FourEyes("Only the author changes and proposes a version; draft your own")
    return row


async def _of_another(session: Session, act: Act) -> VersionRow:
    await repository.lock(session, act.product)
    row = await found(session, product=act.product, version=act.version)
    _check_state(row, "proposed")
    if row.author == _staff(act.caller):
        raise FourEyes("The author of a version does not approve or reject it")
    return row


def _check_state(row: VersionRow, state: str) -> None:
    if row.state != state:
        raise PolicyState(
            f"Version {row.version} is {row.state}", field="version", expected=f"a {state} version"
        )


def _next_number(known: list[str], *, year: int) -> str:
    years = [number.split(".") for number in known]
    last = max((int(n) for y, n in years if int(y) == year), default=0)
    return f"{year}.{last + 1}"


def _staff(caller: Caller) -> str:
    return caller.staff_id or caller.service


def _summary(row: VersionRow) -> contract.VersionSummary:
    return contract.VersionSummary.model_validate(row, from_attributes=True)


def _whole(row: VersionRow) -> contract.PolicyVersion:
    thresholds: Mapping[str, str] = {}
    needs: frozenset[str] = frozenset()
    # an old version may have what this release refuses, and can be read all the same
    with suppress(InvalidRequest):
        program, _ = read(row)
        thresholds, needs = program.graph.thresholds, program.needs
    return contract.PolicyVersion(
        **_summary(row).model_dump(),
        graph=dict(row.graph),
        tests=dict(row.tests),
        thresholds=dict(thresholds),
        needs=sorted(needs),
    )


def _activation(row: ActivationRow) -> contract.Activation:
    return contract.Activation.model_validate(row, from_attributes=True)


async def _audit(session: Session, row: VersionRow, act: Act, action: str) -> None:
    event = StaffActed(
        service=SOURCE,
        staff_id=_staff(act.caller),
        action=action,
        subject=f"{row.product}-{row.version}",
        reason=act.reason,
        at=act.now,
    )
    await outbox.add(session, source=SOURCE, now=act.now, events=[event])
