"""Which reasons of a decision weighed most: what a customer is told where there are many.

Regulation B (12 CFR 1002.9, official interpretation 9(b)(2)) asks for the principal reasons of an
adverse action and holds more than four for of little help.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from services.risk.domain import Outcome
from services.risk.policies import repository
from services.risk.policies.domain import PolicyRefused, Product
from services.risk.policies.graphs import Rule, graph_of
from services.risk.policies.reasons import GRADE_LOW, REASONS, RULE_FAILED
from shared.kit.database import AnySession

MAX_REASONS: Final = 4
#: The fact of a decision that names what its scorecard took points for; no policy reads it.
SCORE_REASONS: Final = "score_reasons"
#: Versions never change once they decide, so that what was read of one holds for good.
_CACHED: Final = 64
_known: OrderedDict[str, Mapping[str, tuple[Outcome, str]]] = OrderedDict()

Weights = Mapping[str, tuple[Outcome, str]]
"""Of each rule, by its id: its outcome and its reason."""


def weights(rules: Sequence[Rule]) -> Weights:
    return {rule.id: (rule.outcome, rule.reason) for rule in rules}


def main_reasons(
    codes: Sequence[str],
    trace: Sequence[str],
    rules: Weights,
    *,
    of_score: Sequence[str] = (),
) -> list[str]:
    """The reasons of the most severe rules that fired, in the order of the policy, at most four.

    What only asked for a person is no reason of a decline. Where the rules are not known any
    more, the first reasons stand for all. A grade is no reason that anybody could act on: where
    it declined, `of_score` stand in its place, what the scorecard took points for.
    """
    fired = [rules[row] for row in trace if row in rules]
    worst = max((outcome for outcome, _ in fired), default=None)
    weighty = {reason for outcome, reason in fired if outcome is worst}
    if worst is not Outcome.DECLINE:
        weighty.add(RULE_FAILED)
    found = [code for code in codes if code in weighty] if fired else list(codes)
    if GRADE_LOW in found and of_score:
        place = found.index(GRADE_LOW)
        found[place : place + 1] = of_score
    return list(dict.fromkeys(found))[:MAX_REASONS]


def reasons_of_score(facts: Mapping[str, Any] | None) -> list[str]:
    """What the scorecard took points for, as the facts of a decision have it."""
    found = (facts or {}).get(SCORE_REASONS)
    return [code for code in found if code in REASONS] if isinstance(found, list | tuple) else []


async def of_policy(session: AnySession, *, product: str, policy: str) -> Weights:
    """The rules of the version that a decision names as its policy; none where it is not kept."""
    if policy in _known:
        _known.move_to_end(policy)
        return _known[policy]
    version = policy.removeprefix(f"{product}-")
    row = await repository.version(session, product=product, version=version)
    if row is None:
        return {}
    try:
        found = weights(graph_of(row.graph, product=cast("Product", row.product)).rules)
    except PolicyRefused:  # an old version may have what this release refuses
        return {}
    _known[policy] = found
    if len(_known) > _CACHED:
        _known.popitem(last=False)
    return found
