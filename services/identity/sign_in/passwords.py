"""Argon2id on threads of its own: a hash takes tens of milliseconds that the event loop has not."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import VerificationError, VerifyMismatchError
from pydantic import SecretStr

from shared.kit.problems import Unavailable

#: Two hashes at a time keep the memory at 38 MB; more threads than cores would gain nothing.
THREADS = 2
#: Callers that may wait for a thread; beyond, an answer now is worth more than a place in a queue.
MAX_WAITING = 64

Result = TypeVar("Result")


class PasswordHasher:
    """Hashes and verifies passwords with the parameters of OWASP's Password Storage Cheat Sheet.

    19 MiB, two passes, one lane (https://cheatsheetseries.owasp.org, "Argon2id").
    """

    def __init__(self, *, threads: int = THREADS, max_waiting: int = MAX_WAITING) -> None:
        self._argon2 = Argon2(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._bound = threads + max_waiting
        self._waiting = 0
        # Verified where no such name exists, so that the answer takes as long as for one that does.
        self._nobody = self._argon2.hash("nobody's password")

    async def hash(self, password: SecretStr) -> str:
        """The hash in PHC form, with its own salt and parameters.

        Raises:
            Unavailable: too many callers are waiting already.
        """
        return await self._run(lambda: self._argon2.hash(_normal(password)))

    async def verify(self, password_hash: str | None, password: SecretStr) -> bool:
        """Whether `password` is the one; always false, and as slow, where there is no hash.

        Raises:
            Unavailable: too many callers are waiting already.
        """
        matches = await self._run(lambda: self._matches(password_hash or self._nobody, password))
        return matches and password_hash is not None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password_hash: str, password: SecretStr) -> bool:
        try:
            return self._argon2.verify(password_hash, _normal(password))
        except VerifyMismatchError:
            return False
        except VerificationError as error:
            raise Unavailable("Passwords cannot be verified now") from error

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= self._bound:
            raise Unavailable("Too many sign-ins at once", retry_after_s=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _normal(password: SecretStr) -> str:
    """One form for what keyboards write in several (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password.get_secret_value())
