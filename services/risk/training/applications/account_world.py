"""A year of applications for an account, among them false identities and malice. Pure, seeded.

Nothing here was measured on people. Honest applicants are as awkward as they are in life:
families share a tablet, a university signs up a hall of students on a few devices in a day, a bad
camera spoils the face check, newcomers have new numbers or one of their family's plan, the
impatient apply three times. About 4 in 100 are not what they say, in three ways:

- false identity: a bought or forged document; face and document agree less well, the number is
  new or in another name, often several identities from one device over a few days;
- farm: dozens of made-up applicants within days from a handful of devices and phones;
- mules: real people who are paid to open an account for somebody, on the recruiter's device or
  their own, with everything about them in order; these are the hardest.

What is found out is told `TOLD_AFTER_DAYS` later, and only then does the ring know of it.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

import numpy as np

from services.risk.applications.features import features_of, names_of
from services.risk.rings.domain import Rings
from services.risk.training.applications.credit_world import DAYS_A_MONTH, Applications
from services.risk.windows import DAY_MS

DAYS = 12 * DAYS_A_MONTH
TOLD_AFTER_DAYS = 30
Kind = Literal["honest", "false_identity", "farm", "mule"]
MALICE: tuple[Kind, ...] = ("false_identity", "farm", "mule")


@dataclass(frozen=True, slots=True)
class Application:
    """One application as it comes in, with what it really is."""

    at_ms: int
    customer: str
    device: str | None
    phone: str
    age: int
    face_match: float | None
    on_network: int | None
    name_matches: bool | None
    dishonest: bool
    enforcements: int
    kind: Kind


class _Town:
    """Draws everything from one generator, in one order."""

    def __init__(self, *, seed: int, a_day: float) -> None:
        self.random = Random(seed)
        self.a_day = a_day
        self.made: list[Application] = []
        self._people = 0
        #: Devices of honest people, which may be borrowed.
        self.devices: list[str] = ["device-0"]

    def person(self) -> str:
        self._people += 1
        return f"c-{self._people:06d}"

    def device(self) -> str:
        name = f"device-{self.random.getrandbits(48):012x}"
        self.devices.append(name)
        return name

    def apply(self, day: int, kind: Kind, **known: Any) -> None:
        """One application by a new customer at some time of the day, honest but for `known`."""
        draw = self.random
        has_court = draw.random() < 0.01
        values: dict[str, Any] = {
            "at_ms": int((day + draw.uniform(0.3, 0.95)) * DAY_MS),
            "customer": self.person(),
            "device": None if draw.random() < 0.1 else self.device(),
            "phone": f"phone-{draw.getrandbits(48):012x}",
            "age": min(max(int(draw.gauss(34, 12)), 16), 85),
            "face_match": _face(draw, 0.955, 0.03),
            "on_network": _number_age(draw, is_new=0.03),
            "name_matches": draw.random() < 0.965,
            "dishonest": has_court,
            "enforcements": draw.randint(1, 3) if has_court else 0,
            "kind": kind,
        }
        values |= known
        if kind != "honest" and draw.random() < 0.15:  # whoever knows the rules tells no device
            values["device"] = None
        if draw.random() < 0.05:  # the telecom operator is away or knows nobody
            values |= {"on_network": None, "name_matches": None}
        if draw.random() < 0.04:  # on a channel that compares no faces
            values["face_match"] = None
        self.made.append(Application(**values))


def stream(*, seed: int, a_day: float = 80.0, days: int = DAYS) -> list[Application]:
    """The year's applications in order of time."""
    town = _Town(seed=seed, a_day=a_day)
    for day in range(days):
        _honest_day(town, day)
        _false_identities(town, day)
        _farms(town, day)
        _mules(town, day)
    _again(town)
    return sorted(town.made, key=lambda one: (one.at_ms, one.customer))


def measured(applications: list[Application]) -> Applications:
    """Their features, each at its own moment: with what came before it, and was told by then."""
    names = names_of("account_opening")
    rings, lately = Rings(), _Lately()
    news = deque(
        (one.at_ms + TOLD_AFTER_DAYS * DAY_MS, one) for one in applications if one.kind != "honest"
    )
    features = np.empty((len(applications), len(names)))
    for place, one in enumerate(applications):
        while news and news[0][0] <= one.at_ms:
            _, known = news.popleft()
            rings.flag(known.customer, cause=f"{known.customer}-{known.at_ms}", is_fraud=True)
        if one.device is not None:
            rings.link(one.customer, ("device", one.device))
        rings.link(one.customer, ("phone", one.phone))
        ring = rings.ring(one.customer, now_ms=one.at_ms)
        found = features_of(
            "account_opening",
            application=_told(one) | lately.with_one(one),
            sources={
                "court": {"dishonest": one.dishonest, "open_enforcements": one.enforcements},
                "telecom": {
                    "months_on_network": one.on_network,
                    "name_matches": one.name_matches,
                },
            },
            ring={"size": ring.size, "fraud_distance": ring.fraud_distance},
        )
        features[place] = [found[name] for name in names]
    month = np.array([one.at_ms // (DAYS_A_MONTH * DAY_MS) for one in applications])
    bad = np.array([one.kind != "honest" for one in applications])
    return Applications("account_opening", names, features, month, bad)


def simulate(*, seed: int, a_day: float = 80.0) -> Applications:
    """The year with its features; the same seed and rate give the same arrays."""
    return measured(stream(seed=seed, a_day=a_day))


class _Lately:
    """How many applications there were, each one counted in, as the database counts them."""

    def __init__(self) -> None:
        self._of_customer: dict[str, deque[int]] = defaultdict(deque)
        self._of_device: dict[str, deque[tuple[int, str]]] = defaultdict(deque)

    def with_one(self, one: Application) -> dict[str, int | None]:
        mine = self._of_customer[one.customer]
        mine.append(one.at_ms)
        while mine[0] <= one.at_ms - 30 * DAY_MS:
            mine.popleft()
        found: dict[str, int | None] = {
            "customer_count_30d": len(mine),
            "device_count_24h": None,
            "device_customers_30d": None,
        }
        if one.device is None:
            return found
        there = self._of_device[one.device]
        there.append((one.at_ms, one.customer))
        while there[0][0] <= one.at_ms - 30 * DAY_MS:
            there.popleft()
        found["device_count_24h"] = sum(at_ms > one.at_ms - DAY_MS for at_ms, _ in there)
        found["device_customers_30d"] = len({customer for _, customer in there})
        return found


def _told(one: Application) -> dict[str, Any]:
    return {"age": one.age, "identity_proven": True, "face_match": one.face_match}


def _number_age(draw: Random, *, is_new: float) -> int:
    """Months; numbers are bought used as well."""
    return draw.randint(0, 4) if draw.random() < is_new else int(draw.gammavariate(1.6, 45))


def _face(draw: Random, usual: float, spread: float) -> float:
    return round(min(max(draw.gauss(usual, spread), 0.0), 1.0), 3)


def _honest_day(town: _Town, day: int) -> None:
    draw = town.random
    for _ in range(_poisson(draw, town.a_day)):
        chance, known = draw.random(), dict[str, Any]()
        if chance < 0.06:  # a bad camera, an old picture
            known["face_match"] = _face(draw, 0.82, 0.09)
        elif chance < 0.10:  # newly come to town
            known |= {"on_network": draw.randint(0, 2), "name_matches": draw.random() < 0.8}
        elif chance < 0.14:  # the number of a family's plan
            known |= {"name_matches": False, "age": draw.randint(16, 24)}
        elif chance < 0.18:
            _family(town, day)
            continue
        elif chance < 0.20:
            _impatient(town, day)
            continue
        town.apply(day, "honest", **known)
    if draw.random() < 0.04:
        _hall_of_students(town, day)


def _family(town: _Town, day: int) -> None:
    device = town.device()
    for _ in range(town.random.randint(2, 4)):
        town.apply(min(day + town.random.randint(0, 12), DAYS - 1), "honest", device=device)


def _impatient(town: _Town, day: int) -> None:
    draw = town.random
    same = {"customer": town.person(), "device": town.device(), "age": draw.randint(18, 60)}
    same["phone"] = f"phone-{draw.getrandbits(48):012x}"
    for _ in range(draw.randint(2, 4)):
        town.apply(min(day + draw.randint(0, 9), DAYS - 1), "honest", **same)


def _hall_of_students(town: _Town, day: int) -> None:
    draw = town.random
    devices = [town.device() for _ in range(draw.randint(2, 4))]
    for _ in range(draw.randint(15, 45)):
        age, on_network = draw.randint(17, 22), draw.randint(0, 40)
        town.apply(day, "honest", device=draw.choice(devices), age=age, on_network=on_network)


def _false_identities(town: _Town, day: int) -> None:
    draw = town.random
    for _ in range(_poisson(draw, town.a_day * 0.006)):
        device = town.device()
        for _ in range(draw.choice((1, 1, 1, 2, 3, 5))):
            town.apply(
                min(day + draw.randint(0, 4), DAYS - 1),
                "false_identity",
                device=device if draw.random() < 0.8 else town.device(),
                face_match=_face(draw, draw.choice((0.72, 0.86, 0.93)), 0.07),
                on_network=_number_age(draw, is_new=0.5),
                name_matches=draw.random() < 0.45,
            )


def _farms(town: _Town, day: int) -> None:
    draw = town.random
    if draw.random() >= town.a_day * 0.0008:
        return
    devices = [town.device() for _ in range(draw.randint(2, 6))]
    phones = [f"phone-{draw.getrandbits(48):012x}" for _ in range(draw.randint(3, 9))]
    for _ in range(draw.randint(12, 50)):
        town.apply(
            min(day + draw.randint(0, 6), DAYS - 1),
            "farm",
            device=draw.choice(devices),
            phone=draw.choice(phones),
            face_match=_face(draw, 0.88, 0.08),
            on_network=_number_age(draw, is_new=0.7),
            name_matches=draw.random() < 0.4,
            age=draw.randint(18, 45),
        )


def _mules(town: _Town, day: int) -> None:
    draw = town.random
    for _ in range(_poisson(draw, town.a_day * 0.004)):
        recruiter = draw.choice(town.devices) if draw.random() < 0.3 else town.device()
        for _ in range(draw.choice((1, 2, 3, 4))):
            town.apply(
                min(day + draw.randint(0, 20), DAYS - 1),
                "mule",
                device=recruiter if draw.random() < 0.6 else town.device(),
                on_network=_number_age(draw, is_new=0.3),
                age=draw.randint(17, 32),
            )


def _again(town: _Town) -> None:
    """One in eight of the malicious tries again, up to three times: a machine has the time."""
    draw = town.random
    for one in [one for one in town.made if one.kind != "honest" and draw.random() < 1 / 8]:
        for _ in range(draw.randint(1, 3)):
            later = int(draw.uniform(0.01, 6) * DAY_MS)
            town.made.append(replace(one, at_ms=min(one.at_ms + later, DAYS * DAY_MS - 1)))


def _poisson(draw: Random, mean: float) -> int:
    """The normal approximation where the mean is large, else by the gaps between events."""
    if mean > 30:
        return max(round(draw.gauss(mean, mean**0.5)), 0)
    count, passed = 0, draw.expovariate(1)
    while passed < mean:
        count += 1
        passed += draw.expovariate(1)
    return count
