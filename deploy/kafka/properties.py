"""What one node on one machine is told: nothing is replicated, and it listens to this machine."""

from collections.abc import Mapping
from pathlib import Path

HOST = "127.0.0.1"


def write_properties(file: Path, *, data: Path, port: int, more: Mapping[str, str]) -> None:
    """`server.properties` of a broker on `port`; its controller takes the port above.

    `more` goes over what stands here, for other listeners.
    """
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{port + 1}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # A topic that nobody declared is a mistake.
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        # The internal topics; their usual 50 partitions would take seconds to create.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A group's first member need not wait for others.
        "group.initial.rebalance.delay.ms": "0",
        # Offsets of a group that was away for a while are not forgotten.
        "offsets.retention.minutes": "525600",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
        "log.cleaner.threads": "1",
        "log.cleaner.dedupe.buffer.size": "8388608",
    }
    lines = [f"{name}={value}" for name, value in (settings | dict(more)).items()]
    file.touch(mode=0o600)  # other listeners may carry passwords
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
