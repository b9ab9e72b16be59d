"""Members of staff, and browsers for them: a plain one over HTTP, and Chromium."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.async_api import Browser, Page

from tests.risk.cases.support import Desk

CHROMIUM = "/usr/bin/chromium"
#: Where to leave pictures of the pages for people to look at; nowhere if it is not set.
PICTURES = os.environ.get("PAGE_PICTURES")
PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass(frozen=True)
class Member:
    staff_id: str
    login_name: str


async def register(desk: Desk, name: str, *roles: str) -> Member:
    """A member of staff who can sign in with `PASSWORD`."""
    member = Member(desk.named(name), f"{name}-{desk.unique}")
    body = {
        "staff_id": member.staff_id,
        "login_name": member.login_name,
        "password": PASSWORD,
        "roles": list(roles),
    }
    async with desk.bank.client("identity", roles=("admin",)) as admin:
        response = await admin.post("/v1/staff", json=body)
    assert response.status_code == 201, response.text
    return member


def csrf_of(page: httpx.Response) -> str:
    found = _TOKEN.search(page.text)
    assert found, page.text
    return found[1]


@asynccontextmanager
async def browser(desk: Desk, lang: str = "en") -> AsyncIterator[httpx.AsyncClient]:
    """A browser without anything in it."""
    async with httpx.AsyncClient(
        base_url=desk.bank.url("risk"),
        headers={"accept-language": lang},
        timeout=30,
        follow_redirects=True,
        verify=False,
    ) as client:
        yield client


async def sign_in(
    client: httpx.AsyncClient, member: Member, *, password: str = PASSWORD, **fields: str
) -> httpx.Response:
    page = await client.get("/desk/sign-in")
    form = {"csrf": csrf_of(page), "login_name": member.login_name, "password": password}
    return await client.post("/desk/sign-in", data=form | fields)


@asynccontextmanager
async def signed_in(desk: Desk, member: Member) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(desk) as client:
        response = await sign_in(client, member)
        assert response.status_code == 200, response.text
        yield client


async def send(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Send a form of the desk, with the token of its own pages."""
    token = csrf_of(await client.get("/desk/cases"))
    return await client.post(path, data={"csrf": token} | fields)


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


async def at_the_desk(
    chromium: Browser, desk: Desk, member: Member, path: str = "/desk", **options: Any
) -> tuple[Page, list[str]]:
    """The member of staff at `path`, signed in with scripts off, and what the browser says."""
    context = await chromium.new_context(java_script_enabled=False, **options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(desk.bank.url("risk") + path)
    await page.fill("#login_name", member.login_name)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.wait_for_url(lambda url: "sign-in" not in url)
    return page, complaints
