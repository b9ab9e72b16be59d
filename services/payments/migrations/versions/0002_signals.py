"""What a partner says of a customer's device, address and merchant travels with the payment."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE payments"
        " ADD COLUMN device_id text CHECK (length(device_id) <= 128),"
        " ADD COLUMN ip_address text CHECK (length(ip_address) <= 45),"
        " ADD COLUMN merchant_id text CHECK (length(merchant_id) <= 40)"
    )
