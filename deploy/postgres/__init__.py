"""A real PostgreSQL for the bank on one machine, from the programs in a Python wheel.

It is reached by a Unix socket in a private folder alone, every role has a generated password, and
its data belongs to the run folder. One run folder has one server.
"""

from deploy.postgres.errors import PostgresError
from deploy.postgres.provisioning import ServiceCredentials, auditor_dsn, provision
from deploy.postgres.server import Server, destroy, running, start, stop, superuser_dsn

__all__ = [
    "PostgresError",
    "Server",
    "ServiceCredentials",
    "auditor_dsn",
    "destroy",
    "provision",
    "running",
    "start",
    "stop",
    "superuser_dsn",
]
