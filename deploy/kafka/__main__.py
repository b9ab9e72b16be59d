"""`python -m deploy.kafka start|stop|status`: a real Apache Kafka for this machine.

Settings are environment variables: RUN_DIR (by default `.run`) and KAFKA_PORT (by default 9092).
"""

import argparse
import os
import sys
from pathlib import Path

from deploy import kafka
from deploy.kafka.broker import DEFAULT_PORT

ROOT = Path(__file__).resolve().parents[2]
LOWEST_PORT, HIGHEST_PORT = 1_024, 65_534


def main() -> int:
    """The exit code: 0 where the broker is as asked."""
    parser = argparse.ArgumentParser(prog="kafka", description=__doc__)
    parser.add_argument("action", choices=("start", "stop", "status"))
    action = parser.parse_args().action
    run_dir = (ROOT / (os.environ.get("RUN_DIR") or ".run")).resolve()
    try:
        if action == "start":
            broker = kafka.start(run_dir, port=_port(), say=lambda words: print(words, flush=True))
            print(f"Apache Kafka listens: KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap}")
            return 0
        if action == "stop":
            print("stopped" if kafka.stop(run_dir) else "no broker runs")
            return 0
        found = kafka.running(run_dir)
        print(f"runs at {found.bootstrap}" if found else "no broker runs")
        return 0 if found else 1
    except kafka.KafkaError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1


def _port() -> int:
    value = os.environ.get("KAFKA_PORT") or str(DEFAULT_PORT)
    if not value.isascii() or not value.isdigit() or not LOWEST_PORT <= int(value) <= HIGHEST_PORT:
        raise kafka.KafkaError(
            f"KAFKA_PORT={value} is not a number from {LOWEST_PORT} to {HIGHEST_PORT}"
        )
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
