"""Exports every contract of the bank to `docs/contracts/`, and says whether they differ.

Events as JSON Schema and AsyncAPI, every service's OpenAPI, and the table of errors. A committed
export that differs from the code fails the tests: `make contracts` writes it anew.
"""

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import shared.contracts.events as events_package
from gateway.openapi import document as partners_document
from shared.contracts.events.envelope import Envelope, Event
from shared.contracts.topics import DEAD_LETTERS, SERVICES, TOPICS, Topic
from shared.kit.problems import ERRORS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/contracts"
VERSION = "0.1.0"
#: Services are built, not started, so these lead nowhere.
NOWHERE = {
    "database_url": "postgresql+asyncpg://nobody@localhost/nowhere",
    "bus_url": "postgresql://nobody@localhost/nowhere",
    "keys_dir": "keys",
}


def events() -> dict[str, type[Event]]:
    """Every declared event by its name; a base class has no example of its own."""
    found: dict[str, type[Event]] = {}
    for module in pkgutil.iter_modules(events_package.__path__):
        loaded = importlib.import_module(f"{events_package.__name__}.{module.name}")
        for name, kind in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(kind, Event) and "example" in vars(kind):
                found.setdefault(name, kind)
    return dict(sorted(found.items()))


def app_of(service: str) -> FastAPI:
    """The service's app, built from its `main.build` with settings that lead nowhere."""
    package = "gateway" if service == "gateway" else f"services.{service}"
    main = importlib.import_module(f"{package}.main")
    settings = next(iter(inspect.signature(main.build).parameters.values())).annotation
    peers = dict.fromkeys(SERVICES, "http://nowhere")
    app: FastAPI = main.build(settings(**NOWHERE, peers=peers))
    return app


def _channel(topic: Topic, declared: dict[str, type[Event]]) -> dict[str, Any]:
    names = [name for name, event in declared.items() if event.topic == topic.name]
    return {
        "address": topic.name,
        "description": f"Key: {topic.key}. Producers: {', '.join(topic.producers)}. "
        f"Consumers: {', '.join(topic.consumers) or 'none yet'}. "
        f"Kept: {topic.retention_days or 'for good'}{' days' if topic.retention_days else ''}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions}},
    }


def asyncapi() -> dict[str, Any]:
    """One AsyncAPI 3.0 document over all topics."""
    declared = events()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tongbao events", "version": VERSION},
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.name: _channel(topic, declared) for topic in (*TOPICS, *DEAD_LETTERS)},
        "operations": {
            f"{producer}.sends.{topic.name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
            }
            for topic in TOPICS
            for producer in topic.producers
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "summary": inspect.getdoc(event) or name,
                    "payload": {"$ref": f"./events/{name}.schema.json"},
                    "examples": [{"payload": event.example}],
                }
                for name, event in declared.items()
            }
        },
    }


def errors() -> list[dict[str, Any]]:
    """Every error that a client may meet, by its stable code."""
    return [
        {"code": code, "status": error.status, "title": error.title}
        for code, error in sorted(ERRORS.items())
    ]


def export() -> dict[str, Any]:
    """Every document by its path below `docs/contracts`."""
    documents: dict[str, Any] = {"events/Envelope.schema.json": Envelope.model_json_schema()}
    for name, event in events().items():
        documents[f"events/{name}.schema.json"] = event.model_json_schema()
    for service in SERVICES:
        documents[f"openapi/{service}.json"] = app_of(service).openapi()
    documents["openapi/open-banking.json"] = partners_document()
    documents["asyncapi.json"] = asyncapi()
    documents["errors.json"] = errors()
    return documents


def rendered() -> dict[Path, str]:
    return {
        FOLDER / path: json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for path, document in export().items()
    }


def differences(wanted: dict[Path, str]) -> list[str]:
    """Paths that are missing, differ, or should not be there."""
    present = set(FOLDER.rglob("*.json"))
    wrong = [path for path in wanted if not path.exists() or path.read_text() != wanted[path]]
    return sorted(str(path.relative_to(ROOT)) for path in {*wrong, *(present - set(wanted))})


def main() -> None:
    parser = argparse.ArgumentParser(prog="contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    check = parser.parse_args().check
    wanted = rendered()
    found = differences(wanted)
    if check and found:
        sys.exit(f"contracts differ from the code, run `make contracts`: {', '.join(found)}")
    if not check:
        for path in set(FOLDER.rglob("*.json")) - set(wanted):
            path.unlink()
        for path, content in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        print(f"{len(wanted)} contracts, {len(found)} changed")


if __name__ == "__main__":
    main()
