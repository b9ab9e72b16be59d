"""Graphs to change: copies of the release's policies, and facts that they rule on."""

import copy
from typing import Any

from services.risk.policies import seeds
from services.risk.policies.domain import Product
from services.risk.policies.facts import over
from services.risk.policies.programs import Program


def graph(product: Product) -> dict[str, Any]:
    return copy.deepcopy(seeds.seed(product).graph)


def node(content: dict[str, Any], name: str) -> Any:
    return next(it for it in content["nodes"] if it["id"] == name)["content"]


def row(content: dict[str, Any], table: str, row_id: str) -> Any:
    return next(it for it in node(content, table)["rules"] if it["_id"] == row_id)


def program(content: dict[str, Any], product: Product = "payment") -> Program:
    return Program(product=product, version="2026.9", graph=content)


def facts(product: Product = "payment", **changes: Any) -> dict[str, Any]:
    return over(seeds.seed(product).tests["given"], changes)
