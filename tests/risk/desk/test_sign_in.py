"""Staff at the door of the desk: who gets in, with what cookie, and who does not."""

import httpx
import pytest

from tests.risk.cases.support import Desk
from tests.risk.desk.support import (
    Member,
    browser,
    csrf_of,
    register,
    send,
    sign_in,
    signed_in,
)

HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def assert_guarded(response: httpx.Response) -> None:
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    for name, value in HEADERS.items():
        assert response.headers[name] == value


class TestSignIn:
    async def test_leads_to_the_queue(self, desk: Desk, reviewer: Member):
        async with browser(desk) as client:
            response = await sign_in(client, reviewer)
        assert response.status_code == 200
        assert response.url.path == "/desk/cases"
        assert reviewer.staff_id in response.text
        assert_guarded(response)

    async def test_leaves_a_cookie_that_no_script_and_no_site_gets(
        self, desk: Desk, reviewer: Member
    ):
        async with browser(desk) as client:
            client.follow_redirects = False
            response = await sign_in(client, reviewer)
            before = csrf_of(await client.get("/desk/sign-in"))
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("desk=")
        for part in ("HttpOnly", "SameSite=strict", "Path=/desk"):
            assert part in cookie
        assert "Max-Age" not in cookie
        assert response.status_code == 303
        assert reviewer.staff_id not in cookie
        assert before

    async def test_stores_neither_cookie_nor_token(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            cookie = client.cookies["desk"]
        rows = await desk.sql("SELECT * FROM desk_sessions WHERE staff_id = $1", reviewer.staff_id)
        (row,) = rows
        assert set(dict(row)) == {"session_hash", "staff_id", "roles", "expires_at"}
        assert cookie.encode() not in bytes(row["session_hash"])

    async def test_gives_another_cookie_than_before(self, desk: Desk, reviewer: Member):
        async with browser(desk) as client:
            await client.get("/desk/sign-in")
            before = client.cookies["desk"]
            await sign_in(client, reviewer)
            assert client.cookies["desk"] != before
            client.cookies.clear()
            planted = await client.get("/desk/cases", headers={"cookie": f"desk={before}"})
        assert planted.url.path == "/desk/sign-in"

    @pytest.mark.parametrize("password", ["not the password", "", "x" * 200])
    async def test_with_a_wrong_password_says_no_more_than_that(
        self, desk: Desk, reviewer: Member, password: str
    ):
        async with browser(desk) as client:
            response = await sign_in(client, reviewer, password=password)
        assert response.status_code == 401
        assert "The user name or the password is not right" in response.text
        assert reviewer.login_name in response.text
        assert_guarded(response)

    @pytest.mark.parametrize("name", ["nobody", "<script>", "A B", "", "x" * 300])
    async def test_under_an_unknown_name_is_the_same(self, desk: Desk, name: str):
        async with browser(desk) as client:
            response = await sign_in(client, Member("s-none", name))
        assert response.status_code == 401
        assert "<script>" not in response.text

    async def test_is_locked_by_identity(self, desk: Desk, reviewer: Member):
        async with browser(desk) as client:
            for _ in range(5):
                await sign_in(client, reviewer, password="not the password")
            response = await sign_in(client, reviewer)
        assert response.status_code == 429
        assert "Too many tries" in response.text

    async def test_is_not_for_an_admin_alone(self, desk: Desk):
        admin = await register(desk, "adm", "admin")
        async with browser(desk) as client:
            response = await sign_in(client, admin)
        assert response.status_code == 403
        assert "no role at this desk" in response.text

    async def test_needs_its_own_form(self, desk: Desk, reviewer: Member):
        async with browser(desk) as client:
            await client.get("/desk/sign-in")
            response = await sign_in(client, reviewer, csrf="0" * 64)
        assert response.status_code == 403

    @pytest.mark.parametrize(
        "wanted",
        ["https://evil.example/", "//evil.example", "/desk/../v1/cases", "/desk/cases\\@evil", ""],
    )
    async def test_leads_nowhere_else(self, desk: Desk, reviewer: Member, wanted: str):
        async with browser(desk) as client:
            client.follow_redirects = False
            response = await sign_in(client, reviewer, next=wanted)
        assert response.headers["location"] == "/desk/cases"

    async def test_leads_back_to_what_was_asked_for(self, desk: Desk, reviewer: Member):
        case_id = await desk.case()
        async with browser(desk) as client:
            page = await client.get(f"/desk/cases/{case_id}")
            assert page.url.path == "/desk/sign-in"
            form = {
                "csrf": csrf_of(page),
                "login_name": reviewer.login_name,
                "password": "correct horse battery",
                "next": page.url.params["next"],
            }
            response = await client.post("/desk/sign-in", data=form)
        assert response.url.path == f"/desk/cases/{case_id}"


class TestSession:
    async def test_ends_with_the_token(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            (row,) = await desk.sql(
                "SELECT expires_at - now() AS left FROM desk_sessions WHERE staff_id = $1",
                reviewer.staff_id,
            )
            assert row["left"].total_seconds() <= 15 * 60
            await desk.sql(
                "UPDATE desk_sessions SET expires_at = now() WHERE staff_id = $1",
                reviewer.staff_id,
            )
            page = await client.get("/desk/cases")
        assert page.url.path == "/desk/sign-in"

    async def test_ends_when_staff_signs_out(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            cookie = client.cookies["desk"]
            response = await send(client, "/desk/sign-out")
            assert "You have signed out" in response.text
            assert client.cookies.get("desk") != cookie
            again = await client.get("/desk/cases", headers={"cookie": f"desk={cookie}"})
        assert again.url.path == "/desk/sign-in"

    async def test_is_not_ended_by_another_site(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            response = await client.post("/desk/sign-out", data={"csrf": "x"})
            assert response.status_code == 403
            assert (await client.get("/desk/cases")).url.path == "/desk/cases"

    @pytest.mark.parametrize("cookie", ["", "x", "a" * 5_000, "desk; Path=/"])
    async def test_of_nobody_is_none(self, desk: Desk, cookie: str):
        async with browser(desk) as client:
            page = await client.get("/desk/cases", headers={"cookie": f"desk={cookie}"})
        assert page.url.path == "/desk/sign-in"

    async def test_is_no_token_for_the_routes(self, desk: Desk, reviewer: Member):
        async with signed_in(desk, reviewer) as client:
            assert (await client.get("/v1/cases")).status_code == 401
