"""Whatever is asked, the answer is one that the published files describe; never a 5xx."""

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.fapi.support import App
from tests.gateway.open_banking.standard import Standard
from tests.gateway.open_banking.support import AISP, CONSENTS, EVERYTHING, HISTORY, Reader

NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#%&\\"), min_size=1
).filter(lambda text: text not in {".", ".."})
LEAVES = st.sampled_from(
    [
        "",
        "/balances",
        "/transactions",
        "/statements",
        "/product",
        "/party",
        "/parties",
        "/beneficiaries",
        "/standing-orders",
        "/statements/2026-01",
        "/statements/2026-01/transactions",
    ]
)
TIMES = st.one_of(
    st.datetimes().map(lambda it: it.isoformat()), st.dates().map(str), NAMES, st.just("")
)
QUERIES = st.dictionaries(
    st.sampled_from(
        ["page", "fromBookingDateTime", "toBookingDateTime", "fromStatementDateTime", "x"]
    ),
    st.one_of(TIMES, st.integers().map(str)),
    max_size=3,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
MEMBERS = ("Permissions", "ExpirationDateTime", "TransactionFromDateTime", "TransactionToDateTime")
DATA = st.fixed_dictionaries(
    {},
    optional={
        "Permissions": st.one_of(st.lists(st.sampled_from(EVERYTHING), max_size=9), JSON),
        **{
            name: st.one_of(st.datetimes().map(lambda it: f"{it.isoformat()}Z"), TIMES, JSON)
            for name in MEMBERS[1:]
        },
    },
)
BODIES = st.one_of(st.fixed_dictionaries({"Data": DATA, "Risk": st.just({})}), JSON)
FEW = settings(max_examples=40, suppress_health_check=list(HealthCheck))


def headers(app: App, method: str, path: str, token: str) -> dict[str, str]:
    proof = app.proof(method, path, token=token)
    return {"Authorization": f"DPoP {token}", "DPoP": proof}


class TestAnything:
    async def test_that_is_read(self, standard: Standard, reader: Reader):
        app = reader.app
        with httpx.Client(base_url=app.origin, timeout=30) as client:

            @FEW
            @given(account=st.one_of(st.just(HISTORY), NAMES), leaf=LEAVES, query=QUERIES)
            def ask(account: str, leaf: str, query: dict[str, str]) -> None:
                path = client.build_request("GET", f"{AISP}/accounts/{account}{leaf}").url
                raw = path.raw_path.decode()
                told = headers(app, "GET", raw, app.token)
                answer = client.get(path, params=query, headers=told)
                assert answer.status_code in {200, 400}, answer.text
                standard.check(answer)

            ask()

    async def test_that_is_written(self, standard: Standard, app: App):
        own = await app.ask_token(grant_type="client_credentials", scope="accounts")
        token = own.json()["access_token"]
        with httpx.Client(base_url=app.origin, timeout=30) as client:

            @FEW
            @given(body=BODIES)
            def send(body: Any) -> None:
                told = headers(app, "POST", CONSENTS, token) | {"Content-Type": "application/json"}
                answer = client.post(CONSENTS, content=json.dumps(body).encode(), headers=told)
                assert answer.status_code in {201, 400}, answer.text
                standard.check(answer)

            send()
