"""What staff see of models, as HTTP models."""

from datetime import datetime

from services.risk.registry.domain import is_valid
from services.risk.registry.repository import ChangeRow, ModelRow
from shared.contracts.http import risk_models as contract


def reply_of(row: ModelRow, *, now: datetime) -> contract.Model:
    names = [name for name in contract.Model.model_fields if name not in {"sha256", "is_valid"}]
    return contract.Model.model_validate(
        {name: getattr(row, name) for name in names}
        | {
            "sha256": row.sha256.hex(),
            "is_valid": is_valid(row.valid_from, row.valid_until, now=now),
        }
    )


def change_of(row: ChangeRow) -> contract.ModelChange:
    return contract.ModelChange.model_validate(row, from_attributes=True)
