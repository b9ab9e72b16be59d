"""The topic table against the code: nobody writes or reads a topic that it does not name."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import shared.contracts.events as events_package
from shared.contracts.events.envelope import Event
from shared.contracts.topics import BY_NAME, SERVICES, TOPICS
from shared.kit.consumers import Subscriptions

ROOT = Path(__file__).resolve().parents[2]


def event_classes() -> dict[str, type[Event]]:
    """Every event that is declared, by name; bases without an example are not events."""
    found: dict[str, type[Event]] = {}
    for module in pkgutil.iter_modules(events_package.__path__):
        loaded = importlib.import_module(f"{events_package.__name__}.{module.name}")
        for name, kind in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(kind, Event) and "example" in vars(kind):
                assert found.setdefault(name, kind) is kind, f"{name} is declared twice"
    return found


EVENTS = event_classes()


def folder(service: str) -> Path:
    return ROOT / ("gateway" if service == "gateway" else f"services/{service}")


def produced_topics(service: str) -> set[str]:
    """Topics of the events that the service's code makes, by name or by `model_validate`."""
    topics = set()
    for path in folder(service).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                made = node.func.value if isinstance(node.func, ast.Attribute) else node.func
                event = EVENTS.get(made.id) if isinstance(made, ast.Name) else None
                topics |= {event.topic} if event else set()
    return topics


def consumed_topics(service: str) -> set[str]:
    package = "gateway" if service == "gateway" else f"services.{service}"
    if not (folder(service) / "consumers.py").exists():
        return set()
    consumers = importlib.import_module(f"{package}.consumers")
    topics = set(consumers.topics()) if hasattr(consumers, "BROADCAST") else set()
    for subscriptions in vars(consumers).values():
        if isinstance(subscriptions, Subscriptions):
            assert subscriptions.group == service
            topics |= set(subscriptions.topics())
    return topics


class TestTopicTable:
    @pytest.mark.parametrize("service", SERVICES)
    def test_names_what_the_service_consumes(self, service: str):
        assert consumed_topics(service) == {t.name for t in TOPICS if service in t.consumers}

    @pytest.mark.parametrize("service", SERVICES)
    def test_names_what_the_service_produces(self, service: str):
        assert produced_topics(service) == {t.name for t in TOPICS if service in t.producers}

    def test_has_every_topic_of_an_event(self):
        assert {event.topic for event in EVENTS.values()} == {topic.name for topic in TOPICS}


class TestEvent:
    @pytest.mark.parametrize("name", sorted(EVENTS))
    def test_has_an_example_that_every_reader_decodes(self, name: str):
        event = EVENTS[name]
        decoded = event.model_validate(event.example)
        assert decoded.model_validate_json(decoded.model_dump_json()) == decoded
        assert decoded.key()
        assert BY_NAME[event.topic].key in event.model_fields

    @pytest.mark.parametrize("name", sorted(EVENTS))
    def test_ignores_a_field_that_a_newer_producer_adds(self, name: str):
        event = EVENTS[name]
        newer = event.example | {"added_next_year": 1}
        assert event.model_validate(newer) == event.model_validate(event.example)

    @pytest.mark.parametrize("service", SERVICES)
    def test_that_a_service_handles_is_decoded_by_it(self, service: str):
        package = "gateway" if service == "gateway" else f"services.{service}"
        if not (folder(service) / "consumers.py").exists():
            return
        consumers = importlib.import_module(f"{package}.consumers")
        for subscriptions in vars(consumers).values():
            if isinstance(subscriptions, Subscriptions):
                for event in subscriptions.handlers:
                    assert event.model_validate(event.example)
