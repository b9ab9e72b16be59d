"""A real Apache Kafka on one machine: one KRaft node from the jars that Maven brings.

It listens on 127.0.0.1 alone and asks nobody who they are, as a developer's broker does. It is
one node: what a process's death must not lose is safe, what a power cut takes is not.
"""

from deploy.kafka.broker import Broker, alive, destroy, running, start, stop
from deploy.kafka.jars import KafkaError, missing

__all__ = ["Broker", "KafkaError", "alive", "destroy", "missing", "running", "start", "stop"]
