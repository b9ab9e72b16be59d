"""The events that identity acts on: what staff did, in any service, goes into the audit log."""

from collections.abc import Sequence

from services.identity import service
from shared.contracts.events.audit import StaffActed
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session


async def on_staff_acted(session: Session, deliveries: Sequence[Delivery]) -> None:
    await service.keep_audit(session, deliveries=deliveries)


SUBSCRIPTIONS = Subscriptions(group="identity", handlers={StaffActed: on_staff_acted})
