"""What every service answers to requests that are wrong, too large, too many or out of luck."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.kit.problems import MEDIA_TYPE
from tests.bank import eventually
from tests.kit.running import MAX_BODY, MAX_CONCURRENCY, Tiny, running_tiny
from tests.kit.support import Kit

JSON = {"content-type": "application/json"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer's problem document, which every refusal must be."""
    assert response.headers["content-type"] == MEDIA_TYPE
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["status"]) == (status, status)
    assert (document["code"], document["type"]) == (code, f"urn:tongbao:problem:{code}")
    assert document["title"]
    assert document["detail"]
    assert document["trace_id"] == response.headers["traceparent"].split("-")[1]
    return document


async def post(tiny: Tiny, content: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    async with tiny.client() as client:
        return await client.post("/v1/things", content=content, headers=headers)


async def get(tiny: Tiny, path: str, **headers: str) -> httpx.Response:
    async with tiny.client() as client:
        return await client.get(path, headers=headers)


class TestBody:
    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"\xff\xfe\xfa",
            b'{"name": "\xe4\xb8"}',
            b"[" * 1_900,
        ],
        ids=["open", "no text", "half a character", "deep"],
    )
    async def test_that_is_no_json_is_refused(self, tiny: Tiny, content: bytes):
        problem(await post(tiny, content), 400, "malformed_body")

    @pytest.mark.parametrize("content", [b"", b"[]", b"null", b"5"])
    async def test_that_is_no_object_is_refused(self, tiny: Tiny, content: bytes):
        problem(await post(tiny, content), 422, "invalid_request")

    async def test_names_each_field_that_does_not_fit_and_repeats_no_value(self, tiny: Tiny):
        response = await post(tiny, b'{"count": "13800138000x", "other": 1}')
        document = problem(response, 422, "invalid_request")
        fields = {error["field"]: error["expected"] for error in document["errors"]}
        assert set(fields) == {"name", "count", "other"}
        assert "13800138000x" not in response.text

    async def test_that_is_too_large_is_refused_by_its_announced_length(self, tiny: Tiny):
        document = problem(await post(tiny, b"x" * (MAX_BODY + 1)), 413, "body_too_large")
        assert str(MAX_BODY) in document["detail"]

    async def test_that_is_too_large_is_refused_where_it_comes_in_chunks(self, tiny: Tiny):
        async def chunks() -> Any:
            for _ in range(100):
                yield b"x" * 100

        async with tiny.client() as client:
            response = await client.post("/v1/things", content=chunks(), headers=JSON)
        problem(response, 413, "body_too_large")

    async def test_of_the_largest_size_is_taken(self, tiny: Tiny):
        frame = b'{"name": ""}'
        content = frame[:-2] + b"x" * (MAX_BODY - len(frame)) + frame[-2:]
        assert len(content) == MAX_BODY
        assert (await post(tiny, content)).status_code == 200

    @pytest.mark.parametrize(
        "content",
        [
            b'{"name": "a\x00b"}',
            rb'{"name": "a\u0000b"}',
            rb'{"name": "n", "labels": {"k": "a\u0000b"}}',
            rb'{"name": "n", "labels": {"a\u0000b": 1}}',
            rb'{"name": "a\ud800b"}',
            rb'{"name": "n", "labels": {"k": "\uDFFF"}}',
            rb'{"name": "n", "\ud800": 1}',
            rb'{"name": "n", "labels": {"k": "\ude00\ud83d"}}',
            b'{"name": "\xed\xa0\x80"}',
        ],
    )
    async def test_with_text_that_no_database_holds_is_refused(self, tiny: Tiny, content: bytes):
        problem(await post(tiny, content), 400, "malformed_body")

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (rb'{"name": "\ud83d\ude00"}', "😀"),
            (rb'{"name": "\uD83D\uDE00 \\u0000 \\ud800"}', "😀 \\u0000 \\ud800"),
            ('{"name": "通宝 \\\\"}'.encode(), "通宝 \\"),
            (b'{"name": "\xed\x9f\xbf"}', "\ud7ff"),
        ],
    )
    async def test_with_any_other_text_is_taken(self, tiny: Tiny, content: bytes, name: str):
        response = await post(tiny, content)
        assert (response.status_code, response.json()["name"]) == (200, name)

    async def test_of_a_form_with_a_nul_is_refused(self, tiny: Tiny):
        form = {"content-type": "application/x-www-form-urlencoded"}
        problem(await post(tiny, b"name=a%00b", form), 400, "malformed_body")

    async def test_that_never_comes_is_not_waited_for(self, tiny: Tiny):
        async def slowly() -> Any:
            yield b'{"name":'
            await asyncio.sleep(1)

        async with tiny.client() as client:
            headers = JSON | {"tongbao-deadline-ms": "200"}
            response = await client.post("/v1/things", content=slowly(), headers=headers)
        problem(response, 408, "request_timeout")


class TestAddress:
    @pytest.mark.parametrize("path", ["/v1/nothing", "/", "/v1/things/a/b", "/v1/things/"])
    async def test_that_is_unknown_is_not_found(self, tiny: Tiny, path: str):
        problem(await get(tiny, path), 404, "not_found")

    async def test_met_with_another_method_tells_which_it_takes(self, tiny: Tiny):
        async with tiny.client() as client:
            response = await client.delete("/v1/things")
        problem(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize("path", ["/v1/things/a%00b", "/v1/things/a?note=%00", "/%00"])
    async def test_with_a_nul_is_refused(self, tiny: Tiny, path: str):
        problem(await get(tiny, path), 400, "malformed_body")

    @pytest.mark.parametrize("path", ["/v1/things/%ED%A0%80", "/v1/things/a?note=%ED%A0%80"])
    async def test_with_half_a_pair_is_read_as_a_replacement(self, tiny: Tiny, path: str):
        response = await get(tiny, path)
        assert response.status_code == 200
        assert "\ufffd" in response.text


class TestFailure:
    async def test_tells_nothing_of_its_cause_but_the_trace(self, tiny: Tiny):
        response = await get(tiny, "/v1/failure/13800138000")
        document = problem(response, 500, "internal_error")
        assert "13800138000" not in response.text
        assert "RuntimeError" not in response.text
        line = await tiny.logged(event="request.failed", trace_id=document["trace_id"])
        assert line["cause"] == "RuntimeError"
        assert "tiny.py" in line["frames"]

    async def test_after_the_answer_began_leaves_the_service_working(self, tiny: Tiny):
        with pytest.raises(httpx.RemoteProtocolError):
            await get(tiny, "/v1/late-failure/13800138000")
        assert (await get(tiny, "/v1/things/a")).status_code == 200


class TestOverload:
    async def test_is_told_to_come_again_and_leaves_health_alone(self, tiny: Tiny, tmp_path: Path):
        until = tmp_path / "until"
        async with tiny.client(limits=httpx.Limits(max_connections=100)) as client:
            calls = [client.get("/v1/hold", params={"until": str(until)}) for _ in range(20)]
            pending = {asyncio.create_task(call) for call in calls}
            while len(pending) > MAX_CONCURRENCY:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for refused in done:
                    problem(refused.result(), 503, "unavailable")
                    assert refused.result().headers["retry-after"] == "1"
            for path in ("/healthz", "/readyz", "/metrics"):
                assert (await client.get(path)).status_code == 200
            until.touch()
            held = await asyncio.gather(*pending)
        assert [response.status_code for response in held] == [200] * MAX_CONCURRENCY
        assert (await get(tiny, "/v1/things/a")).status_code == 200


class TestDatabaseAway:
    async def test_is_told_to_come_again_and_works_when_it_is_back(self, tiny: Tiny):
        assert (await get(tiny, "/v1/word")).json() == {"word": "stored"}
        await tiny.proxy.cut()
        try:
            for path in ("/v1/word", "/readyz"):
                response = await get(tiny, path)
                problem(response, 503, "unavailable")
                assert response.headers["retry-after"] == "1"
            assert (await get(tiny, "/healthz")).status_code == 200
        finally:
            await tiny.proxy.mend()

        async def works() -> bool:
            return (await get(tiny, "/v1/word")).status_code == 200

        await eventually(works)
        assert (await get(tiny, "/readyz")).json() == {"status": "ready"}


class TestCaller:
    async def test_is_let_in_by_name(self, tiny: Tiny):
        token = tiny.authenticator("payments").token(audience="kit", customer_id="c-1")
        response = await get(tiny, "/v1/caller", authorization=f"Bearer {token}")
        assert response.json() == {"service": "payments", "customer_id": "c-1"}

    async def test_of_staff_is_let_in_by_role(self, tiny: Tiny):
        for roles, status in (["operator"], 200), (["reviewer"], 403), ([], 403):
            token = tiny.authenticator("identity").staff_token(staff_id="s-1", roles=roles)
            response = await get(tiny, "/v1/caller", authorization=f"Bearer {token}")
            assert response.status_code == status

    async def test_that_is_known_and_may_not_is_forbidden(self, tiny: Tiny):
        token = tiny.authenticator("identity").token(audience="kit")
        response = await get(tiny, "/v1/caller", authorization=f"Bearer {token}")
        problem(response, 403, "forbidden")

    @pytest.mark.parametrize("value", ["", "Bearer", "Basic a:b", "Bearer a.b.c"])
    async def test_without_a_good_token_is_refused(self, tiny: Tiny, value: str):
        response = await get(tiny, "/v1/caller", authorization=value)
        problem(response, 401, "unauthenticated")


class TestShutdown:
    async def test_takes_no_harm_from_a_database_that_is_away(
        self, kit: Kit, tmp_path_factory: pytest.TempPathFactory
    ):
        log_file = tmp_path_factory.mktemp("shutdown") / "tiny.jsonl"
        async with running_tiny(kit, log_file, ROLE="all") as tiny:
            await tiny.proxy.cut()
            tiny.process.terminate()
            # The server ends by the signal that it was sent, after it has closed everything.
            assert await asyncio.wait_for(tiny.process.wait(), 20) == -signal.SIGTERM
            await tiny.logged(event="Application shutdown complete.")
