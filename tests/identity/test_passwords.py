"""Argon2 on its threads: what it bounds, and that a name that nobody has opens nothing."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from services.identity.sign_in.passwords import PasswordHasher
from shared.kit.problems import Unavailable


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(threads=1, max_waiting=2)
    yield hasher
    hasher.close()


class TestPasswordHasher:
    async def test_knows_a_password_by_its_hash(self, hasher: PasswordHasher) -> None:
        stored = await hasher.hash(SecretStr("correct horse battery"))
        assert await hasher.verify(stored, SecretStr("correct horse battery"))
        assert not await hasher.verify(stored, SecretStr("correct horse"))

    async def test_salts_each_hash(self, hasher: PasswordHasher) -> None:
        password = SecretStr("correct horse battery")
        assert await hasher.hash(password) != await hasher.hash(password)

    @pytest.mark.parametrize("password", ["correct horse battery", "nobody's password", ""])
    async def test_lets_nobody_in_without_a_hash(
        self, hasher: PasswordHasher, password: str
    ) -> None:
        assert not await hasher.verify(None, SecretStr(password))

    async def test_keeps_the_loop_free_and_refuses_what_it_cannot_queue(
        self, hasher: PasswordHasher
    ) -> None:
        password = SecretStr("correct horse battery")
        answers = await asyncio.gather(
            *(hasher.hash(password) for _ in range(5)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert len(refused) == 2
        assert refused[0].headers == {"Retry-After": "2"}
        assert isinstance(await hasher.hash(password), str)

    async def test_does_not_take_a_broken_hash_for_a_wrong_password(
        self, hasher: PasswordHasher
    ) -> None:
        with pytest.raises(Unavailable):
            await hasher.verify("$argon2id$broken", SecretStr("correct horse battery"))
