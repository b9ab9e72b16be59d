"""What the simulated sources know of a person: the same for the same seed and id, in any process.

Nobody's data: each number is drawn from a hash. Shares of the unlucky are of the order of those in
a large retail book; what the sources say of one person fits together.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

#: People of whom nobody outside knows anything.
UNKNOWN_PERCENT = 3
OVERDUE_PERCENT = 6
DISHONEST_PERCENT = 2
OWN_NUMBER_PERCENT = 97


@dataclass(frozen=True, slots=True)
class Person:
    """Money in fen of CNY, a month."""

    is_known: bool
    income_minor: int
    repayments_minor: int
    spending_minor: int
    overdue: int
    queries: int
    is_dishonest: bool
    enforcements: int
    months_on_network: int
    has_own_number: bool


def person_of(customer_id: str, *, seed: int) -> Person:
    """Everything that is known of one person."""
    digest = sha256(f"{seed} {customer_id}".encode()).digest()
    drawn = random.Random(int.from_bytes(digest))  # noqa: S311 - nothing here is a secret
    income = int(drawn.lognormvariate(13.6, 0.5)) // 100 * 100  # around 8,000 CNY
    is_dishonest = drawn.random() * 100 < DISHONEST_PERCENT
    is_overdue = is_dishonest or drawn.random() * 100 < OVERDUE_PERCENT
    return Person(
        is_known=drawn.random() * 100 >= UNKNOWN_PERCENT,
        income_minor=income,
        repayments_minor=int(income * drawn.uniform(0, 0.4)) // 100 * 100,
        spending_minor=int(income * drawn.uniform(0.3, 0.9)) // 100 * 100,
        overdue=drawn.randint(1, 4) if is_overdue else 0,
        queries=drawn.randint(3, 15) if is_overdue else drawn.randint(0, 5),
        is_dishonest=is_dishonest,
        enforcements=drawn.randint(1, 3) if is_dishonest else 0,
        months_on_network=drawn.randint(0, 5) if is_overdue else drawn.randint(3, 200),
        has_own_number=drawn.random() * 100 < OWN_NUMBER_PERCENT,
    )


#: What each source says of a person whom it knows. The courts know who is listed, and so everybody.
SAYS: Mapping[str, Callable[[Person], dict[str, Any]]] = {
    "bureau": lambda person: {
        "overdue_90d": person.overdue,
        "monthly_repayments_minor": person.repayments_minor,
        "queries_3m": person.queries,
        # a real report holds hundreds of fields; the bank has to leave out what it did not ask for
        "employer": "not for the bank",
    },
    "court": lambda person: {
        "dishonest": person.is_dishonest,
        "open_enforcements": person.enforcements,
    },
    "tax": lambda person: {"monthly_income_minor": person.income_minor},
    "telecom": lambda person: {
        "months_on_network": person.months_on_network,
        "name_matches": person.has_own_number,
    },
    "consumption": lambda person: {"monthly_spending_minor": person.spending_minor},
}


def answers_of(source: str, customer_id: str, *, seed: int) -> dict[str, Any]:
    """What a source answers; null throughout where it knows nothing of the person."""
    person = person_of(customer_id, seed=seed)
    found = SAYS[source](person)
    return found if person.is_known or source == "court" else dict.fromkeys(found)
