"""What chaos's partners make of an answer: it has its form, or it is told as wrong."""

import json

import pytest

from deploy.chaos.answers import of_payment

PROBLEM = "application/problem+json"
PAYMENT = {"payment_id": "0197", "state": "settled"}


def problem(status: int, code: str = "unavailable") -> bytes:
    return json.dumps({"status": status, "code": code, "title": "t"}).encode()


class TestPayment:
    @pytest.mark.parametrize("state", ["settled", "rejected", "in_review"])
    def test_is_told_with_its_id_and_an_end(self, state: str):
        seen = of_payment(201, {}, json.dumps(PAYMENT | {"state": state}).encode())
        assert (seen.name, seen.fault) == ("201", None)
        assert seen.content["payment_id"] == "0197"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b'{"payment_id": "0197", "sta',
            b"[]",
            b'{"state": "settled"}',
            b'{"payment_id": "0197", "state": "received"}',
        ],
    )
    def test_told_by_half_is_wrong(self, body: bytes):
        assert "without id or state" in (of_payment(201, {}, body).fault or "")

    def test_under_another_status_is_wrong(self):
        seen = of_payment(200, {"Content-Type": "application/json"}, json.dumps(PAYMENT).encode())
        assert "neither a payment nor a problem" in (seen.fault or "")


class TestProblem:
    def test_is_counted_by_status_and_code(self):
        headers = {"Content-Type": PROBLEM, "Retry-After": "1"}
        seen = of_payment(503, headers, problem(503, "payment_pending"))
        assert (seen.name, seen.fault) == ("503 payment_pending", None)

    def test_of_oauth_has_the_form_of_its_own_standard(self):
        body = b'{"error": "temporarily_unavailable"}'
        headers = {"Content-Type": "application/json", "Retry-After": "1"}
        assert of_payment(503, headers, body).fault is None

    @pytest.mark.parametrize("retry_after", [None, "", "soon", "0"])
    def test_of_unavailability_says_when_to_come_again(self, retry_after: str | None):
        headers = {"Content-Type": PROBLEM}
        headers |= {"Retry-After": retry_after} if retry_after is not None else {}
        assert "without Retry-After" in (of_payment(503, headers, problem(503)).fault or "")

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ({"Content-Type": "text/plain"}, b"Internal Server Error"),
            ({"Content-Type": "application/json"}, problem(500)),
            ({"Content-Type": PROBLEM}, b'{"status": 500}'),
            ({"Content-Type": PROBLEM}, problem(502)),
            ({}, b""),
        ],
    )
    def test_that_is_none_is_wrong(self, headers: dict[str, str], body: bytes):
        assert "no problem document" in (of_payment(500, headers, body).fault or "")
