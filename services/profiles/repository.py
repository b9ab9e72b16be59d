"""SQL of profiles. Writers take whole batches: one statement each, in the order of the keys.

The order keeps two workers that apply batches at once from waiting for each other in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, text

from services.profiles.domain import Assessment, Facts, Flow, PayeeHabit, merged
from services.profiles.models import (
    DERIVED,
    account_flows,
    account_holders,
    customers,
    grades,
    marketing_consents,
    payees,
    payment_counts,
)
from shared.kit.database import Session
from shared.kit.tables import dead_letters, inbox

FlowKey = tuple[str, date, str, str]
"""Account, month, kind, currency."""
PayeeKey = tuple[str, str, str]
"""Customer, account, currency."""
CountKey = tuple[str, str, int]
"""Customer, outcome, hour."""


@dataclass(slots=True)
class FlowSum:
    """What a batch adds to one row of `account_flows`."""

    in_minor: int = 0
    out_minor: int = 0
    in_count: int = 0
    out_count: int = 0
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GradeRow:
    customer_id: str
    assessment_id: UUID
    grade: str
    valid_until: date
    assessed_at: datetime


_ADD_CUSTOMERS = text(
    "INSERT INTO customers (customer_id, registered_on, told_at)"
    " SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:days AS date[]),"
    "   CAST(:told AS timestamptz[])) ORDER BY 1"
    " ON CONFLICT (customer_id) DO UPDATE SET"
    "   registered_on = least(customers.registered_on, excluded.registered_on),"
    "   told_at = greatest(customers.told_at, excluded.told_at)"
)
_ADD_HOLDERS = text(
    "INSERT INTO account_holders (account_id, customer_id)"
    " SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:customers AS text[])) ORDER BY 1, 2"
    " ON CONFLICT DO NOTHING"
)
_ADD_FLOWS = text(
    "INSERT INTO account_flows AS f (account_id, month, kind, currency,"
    "   in_minor, out_minor, in_count, out_count, told_at)"
    " SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:months AS date[]),"
    "   CAST(:kinds AS text[]), CAST(:currencies AS text[]), CAST(:in_minor AS bigint[]),"
    "   CAST(:out_minor AS bigint[]), CAST(:in_count AS bigint[]),"
    "   CAST(:out_count AS bigint[]), CAST(:told AS timestamptz[])) ORDER BY 1, 2, 3, 4"
    " ON CONFLICT (account_id, month, kind, currency) DO UPDATE SET"
    "   in_minor = f.in_minor + excluded.in_minor,"
    "   out_minor = f.out_minor + excluded.out_minor,"
    "   in_count = f.in_count + excluded.in_count,"
    "   out_count = f.out_count + excluded.out_count,"
    "   told_at = greatest(f.told_at, excluded.told_at)"
)
_ADD_PAYEES = text(
    "INSERT INTO payees AS p (customer_id, account_id, currency, payments, amount_minor)"
    " SELECT * FROM unnest(CAST(:customers AS text[]), CAST(:accounts AS text[]),"
    "   CAST(:currencies AS text[]), CAST(:payments AS bigint[]), CAST(:amounts AS bigint[]))"
    " ORDER BY 1, 2, 3"
    " ON CONFLICT (customer_id, account_id, currency) DO UPDATE SET"
    "   payments = p.payments + excluded.payments,"
    "   amount_minor = p.amount_minor + excluded.amount_minor"
)
_ADD_COUNTS = text(
    "INSERT INTO payment_counts AS c (customer_id, outcome, hour, payments, told_at)"
    " SELECT * FROM unnest(CAST(:customers AS text[]), CAST(:outcomes AS text[]),"
    "   CAST(:hours AS smallint[]), CAST(:payments AS bigint[]), CAST(:told AS timestamptz[]))"
    " ORDER BY 1, 2, 3"
    " ON CONFLICT (customer_id, outcome, hour) DO UPDATE SET"
    "   payments = c.payments + excluded.payments,"
    "   told_at = greatest(c.told_at, excluded.told_at)"
)
#: The latest assessment wins whatever the order in which they arrive; of equals one always.
_ADD_GRADES = text(
    "INSERT INTO grades AS g (customer_id, assessment_id, grade, valid_until, assessed_at)"
    " SELECT * FROM unnest(CAST(:customers AS text[]), CAST(:ids AS uuid[]),"
    "   CAST(:grades AS text[]), CAST(:until AS date[]), CAST(:at AS timestamptz[])) ORDER BY 1"
    " ON CONFLICT (customer_id) DO UPDATE SET"
    "   assessment_id = excluded.assessment_id, grade = excluded.grade,"
    "   valid_until = excluded.valid_until, assessed_at = excluded.assessed_at"
    " WHERE (g.assessed_at, g.assessment_id) < (excluded.assessed_at, excluded.assessment_id)"
)


async def add_customers(session: Session, registered: Mapping[str, tuple[date, datetime]]) -> None:
    """Note customers with the day of registration and the time of the event."""
    await session.execute(
        _ADD_CUSTOMERS,
        {
            "ids": list(registered),
            "days": [day for day, _ in registered.values()],
            "told": [told_at for _, told_at in registered.values()],
        },
    )


async def add_holders(session: Session, holders: Iterable[tuple[str, str]]) -> None:
    """Note who holds which account: pairs of account and customer."""
    pairs = sorted(set(holders))
    if pairs:
        await session.execute(
            _ADD_HOLDERS,
            {"accounts": [pair[0] for pair in pairs], "customers": [pair[1] for pair in pairs]},
        )


async def add_flows(session: Session, sums: Mapping[FlowKey, FlowSum]) -> None:
    """Add a batch's sums to the accounts' flows."""
    await session.execute(
        _ADD_FLOWS,
        {
            "accounts": [key[0] for key in sums],
            "months": [key[1] for key in sums],
            "kinds": [key[2] for key in sums],
            "currencies": [key[3] for key in sums],
            "in_minor": [added.in_minor for added in sums.values()],
            "out_minor": [added.out_minor for added in sums.values()],
            "in_count": [added.in_count for added in sums.values()],
            "out_count": [added.out_count for added in sums.values()],
            "told": [added.told_at for added in sums.values()],
        },
    )


async def add_payees(session: Session, paid: Mapping[PayeeKey, tuple[int, int]]) -> None:
    """Add numbers of settled payments and their amounts, by customer, payee and currency."""
    await session.execute(
        _ADD_PAYEES,
        {
            "customers": [key[0] for key in paid],
            "accounts": [key[1] for key in paid],
            "currencies": [key[2] for key in paid],
            "payments": [payments for payments, _ in paid.values()],
            "amounts": [amount_minor for _, amount_minor in paid.values()],
        },
    )


async def add_payment_counts(
    session: Session, counts: Mapping[CountKey, tuple[int, datetime]]
) -> None:
    """Add numbers of payments, by customer, outcome and hour, with the latest event's time."""
    await session.execute(
        _ADD_COUNTS,
        {
            "customers": [key[0] for key in counts],
            "outcomes": [key[1] for key in counts],
            "hours": [key[2] for key in counts],
            "payments": [payments for payments, _ in counts.values()],
            "told": [told_at for _, told_at in counts.values()],
        },
    )


async def set_grades(session: Session, rows: Sequence[GradeRow]) -> None:
    """Note the latest grade of each customer; at most one row a customer."""
    await session.execute(
        _ADD_GRADES,
        {
            "customers": [row.customer_id for row in rows],
            "ids": [row.assessment_id for row in rows],
            "grades": [row.grade for row in rows],
            "until": [row.valid_until for row in rows],
            "at": [row.assessed_at for row in rows],
        },
    )


async def facts_of(session: Session, *, customer_id: str) -> Facts | None:
    """All that events told of a customer; None where they told nothing."""
    held = select(account_holders.c.account_id).where(account_holders.c.customer_id == customer_id)
    accounts = (await session.execute(held.order_by(account_holders.c.account_id))).scalars().all()
    flow_rows = (
        await session.execute(select(account_flows).where(account_flows.c.account_id.in_(held)))
    ).all()
    payee_rows = (
        await session.execute(select(payees).where(payees.c.customer_id == customer_id))
    ).all()
    count_rows = (
        await session.execute(
            select(payment_counts)
            .where(payment_counts.c.customer_id == customer_id)
            .order_by(payment_counts.c.hour)
        )
    ).all()
    customer = (
        await session.execute(select(customers).where(customers.c.customer_id == customer_id))
    ).one_or_none()
    grade = (
        await session.execute(select(grades).where(grades.c.customer_id == customer_id))
    ).one_or_none()
    if not (accounts or payee_rows or count_rows or customer or grade):
        return None
    told = [row.told_at for row in (*flow_rows, *count_rows, *([customer] if customer else []))]
    told += [grade.assessed_at] if grade else []
    return Facts(
        customer_id=customer_id,
        registered_on=customer.registered_on if customer else None,
        accounts=tuple(accounts),
        flows=merged(
            Flow(
                row.month,
                row.kind,
                row.currency,
                row.in_minor,
                row.out_minor,
                row.in_count,
                row.out_count,
            )
            for row in flow_rows
        ),
        payees=tuple(
            PayeeHabit(row.account_id, row.currency, row.payments, row.amount_minor)
            for row in payee_rows
        ),
        payments_by_hour=tuple(
            (row.hour, row.payments) for row in count_rows if row.outcome == "settled"
        ),
        payments_rejected=sum(row.payments for row in count_rows if row.outcome == "rejected"),
        assessment=Assessment(grade.grade, grade.valid_until) if grade else None,
        updated_at=max(told, default=None),
    )


async def insert_consent(
    session: Session, *, customer_id: str, granted: bool, stated_at: datetime
) -> None:
    """Keep a statement; the latest of a customer counts."""
    await session.execute(
        insert(marketing_consents).values(
            customer_id=customer_id, granted=granted, stated_at=stated_at
        )
    )


async def latest_consent(session: Session, *, customer_id: str) -> tuple[bool, datetime] | None:
    """What the customer said last, and when; None for one who never said anything."""
    statement = (
        select(marketing_consents.c.granted, marketing_consents.c.stated_at)
        .where(marketing_consents.c.customer_id == customer_id)
        .order_by(marketing_consents.c.position.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row.granted, row.stated_at)


async def empty_derived(session: Session, *, group: str) -> None:
    """Forget all that events told, and that they were handled or could not be.

    A worker marks an event in the inbox before anything else, and a replay its dead letter. So
    the lock and the first deletion wait for what is under way and hold off the next: nothing is
    half in what is emptied here. What still cannot be handled becomes a dead letter again.
    """
    await session.execute(text("LOCK TABLE inbox IN EXCLUSIVE MODE"))
    await session.execute(delete(dead_letters).where(dead_letters.c.consumer_group == group))
    for table in DERIVED:
        await session.execute(delete(table))
    await session.execute(delete(inbox).where(inbox.c.consumer_group == group))
