"""The way to a customer's own phone: a port, and the adapter of a bank that sends no messages."""

import asyncio
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from services.identity.codes.domain import NoMessenger


@dataclass(frozen=True, slots=True)
class Message:
    """What the customer reads; `code` stands in both texts, and alone for a program to read."""

    challenge_id: str
    customer_id: str
    sent_at: str
    code: str
    zh: str
    en: str

    def __repr__(self) -> str:
        """Without the code, so that no traceback and no log tells it."""
        return f"Message(challenge_id={self.challenge_id!r})"


class Messenger(Protocol):
    """Sends a message to a customer over a channel that only the customer reads."""

    async def send(self, message: Message) -> None:
        """Send, or raise NoMessenger where that cannot be done."""


class MessageFile:
    """The customer's phone of a demo: JSON lines in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message: Message) -> None:
        line = json.dumps(asdict(message), ensure_ascii=False) + "\n"
        try:
            await asyncio.to_thread(self._append, line.encode())
        except OSError as error:
            raise NoMessenger("The message could not be written") from error

    def _append(self, line: bytes) -> None:
        # One write in append mode: lines of several writers do not mix.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


def messenger_of(messages_file: Path | None) -> Messenger | None:
    """The configured channel; None where there is none: then no code is made at all."""
    return MessageFile(messages_file) if messages_file else None
