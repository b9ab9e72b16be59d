"""One run folder has one bank."""

import os
import threading
import time
from pathlib import Path

import pytest

from deploy.local.lock import STOPPING, only_one, take
from deploy.local.options import LocalError


class TestOnlyOne:
    def test_tells_who_has_the_bank(self, tmp_path: Path) -> None:
        with (
            only_one(tmp_path, words="process 7"),
            pytest.raises(LocalError, match="runs already: process 7"),
            only_one(tmp_path, words="process 8"),
        ):
            raise AssertionError("two at once")

    def test_is_free_again_afterwards(self, tmp_path: Path) -> None:
        with only_one(tmp_path, words="a long sentence about the first"):
            pass
        with only_one(tmp_path, words="second"):
            assert (tmp_path / "lock").read_text() == "second"

    def test_waits_for_one_that_is_being_taken_down(self, tmp_path: Path) -> None:
        file = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        assert take(file, words=STOPPING) is None
        closed: list[float] = []

        def end() -> None:
            closed.append(time.monotonic())
            os.close(file)

        timer = threading.Timer(0.3, end)
        timer.start()
        with only_one(tmp_path, words="next"):
            assert closed
        timer.join()
