"""What must hold in the books, each as plain SQL over the tables and nothing else of the bank.

A check returns what it counted and a line for each breach. Its code shares nothing with the
services, so that a mistake of theirs cannot hide in here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from deploy.verify.event_log import CHUNK, EventLog

#: Breaches that one check lists; the count says how many there are.
MAX_LISTED = 20
GRACE = timedelta(seconds=10)

Connections = Mapping[str, "asyncpg.Connection[Any]"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`counted` things were looked at; `breaches` are those that are not as they must be."""

    name: str
    counted: int
    breaches: tuple[str, ...]


Check = Callable[[Connections], Awaitable[Finding]]


async def _rows(
    connection: "asyncpg.Connection[Any]", name: str, *, counted: str, breaches: str
) -> Finding:
    """A check of one database: a statement that counts, and one that gives a line a breach."""
    number = await connection.fetchval(counted)
    found = await connection.fetch(breaches)
    return Finding(name, int(number), tuple(str(row[0]) for row in found))


async def transfers_balance(at: Connections) -> Finding:
    """Every transfer's legs add up to zero in each currency, and are as many as it says."""
    return await _rows(
        at["ledger"],
        "transfers balance",
        counted="SELECT count(*) FROM transfers",
        breaches="""
            SELECT format('transfer %s: sum %s %s', transfer_id, sum(amount_minor), currency)
            FROM postings GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0
            UNION ALL
            SELECT format('transfer %s: %s legs of %s', t.transfer_id, count(p.leg_no), t.leg_count)
            FROM transfers t LEFT JOIN postings p USING (transfer_id)
            GROUP BY t.transfer_id HAVING count(p.leg_no) <> t.leg_count
            UNION ALL
            SELECT format('posting of %s without its transfer', p.transfer_id)
            FROM postings p LEFT JOIN transfers t USING (transfer_id) WHERE t.transfer_id IS NULL
        """,
    )


async def balances_equal_postings(at: Connections) -> Finding:
    """Every balance is the sum of its account's postings, and every account has one balance."""
    return await _rows(
        at["ledger"],
        "balances equal their postings",
        counted="SELECT count(*) FROM balances",
        breaches="""
            SELECT format('account %s: balance %s in %s entries, postings %s in %s', a.account_id,
                b.posted_minor, b.entries, coalesce(p.total, 0), coalesce(p.entries, 0))
            FROM accounts a
            LEFT JOIN balances b USING (account_id)
            LEFT JOIN (
                SELECT account_id, sum(amount_minor) AS total, count(*) AS entries,
                    max(entry_no) AS last
                FROM postings GROUP BY account_id
            ) p USING (account_id)
            WHERE b.posted_minor IS DISTINCT FROM coalesce(p.total, 0)
                OR b.entries IS DISTINCT FROM coalesce(p.entries, 0)
                OR coalesce(p.last, 0) <> coalesce(p.entries, 0)
        """,
    )


async def running_balances_follow(at: Connections) -> Finding:
    """The balance written on each entry is the one before it plus its amount."""
    return await _rows(
        at["ledger"],
        "running balances follow",
        counted="SELECT count(*) FROM postings",
        breaches="""
            SELECT format('account %s entry %s: balance %s, sum so far %s', account_id, entry_no,
                balance_minor, so_far)
            FROM (
                SELECT account_id, entry_no, balance_minor,
                    sum(amount_minor) OVER (PARTITION BY account_id ORDER BY entry_no) AS so_far
                FROM postings
            ) p WHERE balance_minor <> so_far
        """,
    )


async def books_sum_to_zero(at: Connections) -> Finding:
    """Over all accounts of a currency debits equal credits: no money was made or lost."""
    return await _rows(
        at["ledger"],
        "the books sum to zero",
        counted="SELECT count(DISTINCT currency) FROM accounts",
        breaches="""
            SELECT format('%s: all balances together are %s', a.currency, sum(b.posted_minor))
            FROM balances b JOIN accounts a USING (account_id)
            GROUP BY a.currency HAVING sum(b.posted_minor) <> 0
        """,
    )


async def holds_agree(at: Connections) -> Finding:
    """What an account has held is the sum of its placed holds; a captured one has its transfer."""
    return await _rows(
        at["ledger"],
        "holds agree",
        counted="SELECT count(*) FROM holds",
        breaches="""
            SELECT format('account %s: %s held, its holds are %s', b.account_id, b.held_minor,
                coalesce(h.total, 0))
            FROM balances b
            LEFT JOIN (
                SELECT account_id, sum(amount_minor) AS total FROM holds
                WHERE state = 'placed' GROUP BY account_id
            ) h USING (account_id)
            WHERE b.held_minor <> coalesce(h.total, 0)
            UNION ALL
            SELECT format('hold %s is captured without a transfer', h.hold_id)
            FROM holds h LEFT JOIN transfers t USING (transfer_id)
            WHERE h.state = 'captured' AND t.transfer_id IS NULL
        """,
    )


async def payments_equal_transfers(at: Connections) -> Finding:
    """A settled payment has one transfer of its amount between its accounts; others have none."""
    counted = 0
    breaches: list[str] = []
    query = (
        "SELECT payment_id, state, transfer_id, debtor_account, creditor_account, amount_minor,"
        " currency FROM payments WHERE payment_id > $1 ORDER BY payment_id LIMIT $2"
    )
    last = "00000000-0000-0000-0000-000000000000"
    while rows := await at["payments"].fetch(query, last, CHUNK):
        counted += len(rows)
        last = rows[-1]["payment_id"]
        moved = await _legs(at["ledger"], [row["payment_id"] for row in rows])
        for row in rows:
            breach = _payment_breach(row, moved.get(row["payment_id"]))
            if breach:
                breaches.append(breach)
    return Finding("settled payments equal transfers", counted, tuple(breaches))


async def _legs(ledger: "asyncpg.Connection[Any]", ids: list[Any]) -> dict[Any, set[Any]]:
    rows = await ledger.fetch(
        "SELECT transfer_id, account_id, amount_minor, currency FROM postings"
        " WHERE transfer_id = ANY ($1)",
        ids,
    )
    legs: dict[Any, set[Any]] = {}
    for row in rows:
        leg = (row["account_id"], row["amount_minor"], row["currency"])
        legs.setdefault(row["transfer_id"], set()).add(leg)
    return legs


def _payment_breach(row: Any, legs: set[Any] | None) -> str | None:
    name = f"payment {row['payment_id']} ({row['state']})"
    if row["state"] != "settled":
        # One under way may be posted already: its settlement is then written next.
        under_way = row["state"] in {"received", "approved"}
        return f"{name} has a transfer" if legs and not under_way else None
    if row["transfer_id"] != row["payment_id"] or not legs:
        return f"{name} has no transfer"
    wanted = {
        (row["debtor_account"], -row["amount_minor"], row["currency"]),
        (row["creditor_account"], row["amount_minor"], row["currency"]),
    }
    return None if legs == wanted else f"{name}: its transfer moved something else"


async def transfers_have_payments(at: Connections) -> Finding:
    """No transfer of a payment without it."""
    counted = 0
    breaches: list[str] = []
    query = (
        "SELECT transfer_id FROM transfers WHERE kind = 'payment' AND transfer_id > $1"
        " ORDER BY transfer_id LIMIT $2"
    )
    last = "00000000-0000-0000-0000-000000000000"
    while rows := await at["ledger"].fetch(query, last, CHUNK):
        ids = [row["transfer_id"] for row in rows]
        counted += len(ids)
        last = ids[-1]
        known = await at["payments"].fetch(
            "SELECT payment_id FROM payments WHERE payment_id = ANY ($1)"
            " AND state IN ('settled', 'approved', 'received')",
            ids,
        )
        missing = set(ids) - {row["payment_id"] for row in known}
        breaches += [f"transfer {found} of a payment that is not there" for found in missing]
    return Finding("payment transfers have payments", counted, tuple(sorted(breaches)))


async def holds_have_payments(at: Connections) -> Finding:
    """A payment in review keeps its amount held; one that ended holds nothing."""
    placed = await at["ledger"].fetch("SELECT hold_id FROM holds WHERE state = 'placed'")
    states = {
        row["payment_id"]: row["state"]
        for row in await at["payments"].fetch(
            "SELECT payment_id, state FROM payments WHERE state = 'in_review'"
            " OR payment_id = ANY ($1)",
            [row["hold_id"] for row in placed],
        )
    }
    held = {row["hold_id"] for row in placed}
    breaches = [
        f"payment {found} is in review and holds nothing"
        for found, state in states.items()
        if state == "in_review" and found not in held
    ]
    breaches += [
        f"payment {found} is {states[found]} and still holds its amount"
        for found in held
        if states.get(found) in {"settled", "rejected"}
    ]
    return Finding("holds have payments", len(states), tuple(sorted(breaches)))


async def consents_add_up(at: Connections) -> Finding:
    """What a consent counts as used is the sum of its payments, within its limit."""
    return await _rows(
        at["gateway"],
        "payment consents add up",
        counted="SELECT count(*) FROM payment_consents",
        breaches="""
            SELECT format('consent %s: %s used of %s, its payments are %s', c.consent_id,
                c.used_minor, c.limit_minor, coalesce(p.total, 0))
            FROM payment_consents c
            LEFT JOIN (
                SELECT consent_id, sum(amount_minor) AS total FROM payment_claims
                WHERE state IN ('reserved', 'confirmed') GROUP BY consent_id
            ) p USING (consent_id)
            WHERE c.used_minor <> coalesce(p.total, 0) OR c.used_minor > c.limit_minor
        """,
    )


def outbox_reaches_log(service: str, log: EventLog, *, running: bool) -> Check:
    """Every outbox row of a service that counts as published is in the log."""

    async def check(at: Connections) -> Finding:
        counted = 0
        breaches: list[str] = []
        last = -1
        query = (
            "SELECT position, event_id, topic, published_at, created_at < now() - $3::interval"
            " AS late FROM outbox WHERE position > $1 ORDER BY position LIMIT $2"
        )
        while rows := await at[service].fetch(query, last, CHUNK, GRACE):
            counted += len(rows)
            last = rows[-1]["position"]
            published = [row["event_id"] for row in rows if row["published_at"]]
            missing = set(published) - await log.known(published)
            breaches += [f"{service}: event {found} is not in the log" for found in missing]
            breaches += [
                f"{service}: event {row['event_id']} waits to be published"
                for row in rows
                if running and row["late"] and not row["published_at"]
            ]
        return Finding(f"outbox of {service} is in the log", counted, tuple(sorted(breaches)))

    return check


def inboxes_complete(log: EventLog) -> Check:
    """What a consumer group has committed is in its inbox, each record of it."""

    async def check(at: Connections) -> Finding:
        counted = 0
        breaches: list[str] = []
        async for done in log.committed():
            counted += len(done.event_ids)
            known = await at[done.group].fetch(
                "SELECT event_id FROM inbox WHERE consumer_group = $1 AND event_id = ANY ($2)",
                done.group,
                done.event_ids,
            )
            missing = set(done.event_ids) - {row["event_id"] for row in known}
            breaches += [
                f"{done.group}: event {one} of {done.topic} was committed unseen" for one in missing
            ]
        return Finding("inboxes are complete", counted, tuple(sorted(breaches)))

    return check


def all_checks(services: tuple[str, ...], log: EventLog, *, running: bool) -> list[Check]:
    """Every check, in the order of the report."""
    return [
        transfers_balance,
        balances_equal_postings,
        running_balances_follow,
        books_sum_to_zero,
        holds_agree,
        payments_equal_transfers,
        transfers_have_payments,
        holds_have_payments,
        consents_add_up,
        *(outbox_reaches_log(service, log, running=running) for service in services),
        inboxes_complete(log),
    ]
