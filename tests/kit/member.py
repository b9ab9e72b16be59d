"""A member of a consumer group as a process of its own: `python -m tests.kit.member`.

It polls until it has `number` records, prints them as one line of JSON, commits the first `done`
of them, and lives on until somebody kills it.
"""

import argparse
import asyncio
import json
import sys

from shared.kit.bus.select import open_bus
from shared.kit.settings import Settings
from tests.kit.support import topic_named


async def run(*, topic: str, group: str, number: int, done: int) -> None:
    bus = open_bus(Settings(), application="kit-member")
    consumer = await bus.consumer(group=group, topics=[topic], member="member")
    values: list[str] = []
    while len(values) < number:
        left = (done or number) - len(values)
        polled = await consumer.poll(limit=left if left > 0 else number, timeout_s=0.5)
        values += [record.value for record in polled]
        if len(values) == done:
            await consumer.commit()
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()
    while True:
        await consumer.poll(limit=1, timeout_s=0.5)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--topic", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--done", type=int, required=True)
    chosen = parser.parse_args()
    with topic_named(chosen.topic):
        asyncio.run(run(**vars(chosen)))


if __name__ == "__main__":
    main()
