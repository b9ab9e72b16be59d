"""docker-compose.yml, as Compose's own loader reads it, against the code."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.bureau.people import SAYS
from deploy.bureau.settings import BureauSettings
from deploy.local.programs import BY_NAME
from services.risk.settings import RiskSettings
from shared.contracts.topics import SERVICES
from tests.platform.tools import (
    IMAGES,
    ROOT,
    compose,
    image_environment,
    loaded,
    settings_of,
)

FILE = "docker-compose.yml"
STAFF = "deploy/compose-staff.yml"
#: Containers that do one thing and end.
ONCE = {"secrets", "databases", "first-admin"} | {f"migrate-{service}" for service in SERVICES}
STORES = {"postgres", "kafka"}
#: What is no part of the bank: the sources that risk asks, simulated.
OUTSIDE = {"bureau"}


def services() -> dict[str, dict]:
    found: dict[str, dict] = compose(FILE)["services"]
    return found


def mounts(container: str) -> dict[str, str]:
    """Where each volume of a container is mounted."""
    return {mount["target"]: mount["source"] for mount in services()[container].get("volumes", [])}


class TestComposeFile:
    def test_starts_the_services_of_the_bank_and_what_they_stand_on(self):
        assert set(services()) == set(SERVICES) | ONCE | STORES | OUTSIDE

    @pytest.mark.parametrize(
        ("what", "wrong"),
        [
            ("  postgres-data: {}", "  postgres-data: {sizes: 3}"),
            ("read_only: true", "read_only: [true]"),
            ("first-admin: {condition: service_completed", "first-admin: {condition: completed"),
        ],
    )
    def test_is_refused_with_a_mistake_in_it(self, tmp_path: Path, what: str, wrong: str):
        text = (ROOT / FILE).read_text()
        assert what in text
        (tmp_path / FILE).write_text(text.replace(what, wrong))
        assert loaded(tmp_path / FILE).returncode != 0

    def test_declares_what_its_containers_name(self):
        model = compose(FILE)
        for name, service in services().items():
            assert set(service.get("networks", {})) <= set(model["networks"]), name
            assert set(service.get("depends_on", {})) <= set(model["services"]), name
            volumes = {v["source"] for v in service.get("volumes", []) if v["type"] == "volume"}
            assert volumes <= set(model["volumes"]), name
        used = {source for name in services() for source in mounts(name).values()}
        assert set(model["volumes"]) == used

    def test_publishes_the_gateway_on_this_machine_and_nothing_else(self):
        ports = {
            name: service["ports"] for name, service in services().items() if "ports" in service
        }
        assert list(ports) == ["gateway"]
        (port,) = ports["gateway"]
        assert (port["host_ip"], port["published"]) == ("127.0.0.1", "8080")
        assert str(port["target"]) == image_environment()["PORT"]

    def test_publishes_every_service_on_this_machine_for_staff(self):
        found = compose(FILE, STAFF)["services"]
        ports = {name: found[name]["ports"] for name in SERVICES}
        for name, (port,) in ports.items():
            assert port["host_ip"] == "127.0.0.1"
            assert port["published"] == str(8080 + BY_NAME[name].offset)
            assert "edge" in found[name]["networks"]

    def test_lets_only_the_gateway_out(self):
        networks = compose(FILE)["networks"]
        assert {name for name, network in networks.items() if not network.get("internal")} == {
            "edge"
        }
        assert {
            n for n, service in services().items() if "edge" in service.get("networks", {})
        } == {"gateway"}

    def test_has_no_password(self):
        text = (ROOT / FILE).read_text().lower()
        for line in text.splitlines():
            if "password" in line and ":" in line and not line.strip().startswith("#"):
                assert "/run/" in line, line

    @pytest.mark.parametrize("container", sorted(set(SERVICES) | ONCE | OUTSIDE))
    def test_bounds_its_programs(self, container: str):
        found = services()[container]
        assert found["read_only"] is True
        assert found["cap_drop"] == ["ALL"]
        assert found["security_opt"] == ["no-new-privileges:true"]
        limits = found["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= set(limits)
        if container != "secrets":
            assert "user" not in found, "the image's own user, which is not root"
            assert "cap_add" not in found

    @pytest.mark.parametrize("container", sorted(set(SERVICES) | ONCE | OUTSIDE))
    def test_builds_the_image_that_it_names(self, container: str):
        found = services()[container]
        name, _, version = found["image"].partition(":")
        assert found["build"]["args"] == IMAGES[name]
        assert found["build"]["dockerfile"] == "deploy/Dockerfile"
        assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()


class TestService:
    @pytest.mark.parametrize("service", SERVICES)
    def test_is_told_what_its_settings_ask_for(self, secrets: Path, service: str):
        found = services()[service]
        assert found["image"].startswith(f"tongbao/{service}:")
        assert found["command"] == [BY_NAME[service].module]
        environment = image_environment() | found["environment"]
        settings = settings_of(service, environment, secrets=secrets / service)
        address = urlsplit(settings.database_url.get_secret_value())
        assert (address.username, address.hostname) == (service, "postgres")
        assert address.path == f"/{service}"
        assert settings.bus == "kafka"
        assert settings.kafka_bootstrap_servers == "kafka:9092"
        assert settings.role == "all"

    @pytest.mark.parametrize("service", SERVICES)
    def test_calls_those_whom_it_calls_elsewhere(self, service: str):
        peers = json.loads(services()[service]["environment"].get("PEERS", "{}"))
        port = image_environment()["PORT"]
        assert peers == {peer: f"http://{peer}:{port}" for peer in BY_NAME[service].peers}

    @pytest.mark.parametrize("service", SERVICES)
    def test_has_its_own_secrets_alone(self, service: str):
        secrets = {place: name for place, name in mounts(service).items() if "secrets" in name}
        assert secrets == {image_environment()["SECRETS_DIR"]: f"{service}-secrets"}

    @pytest.mark.parametrize("service", SERVICES)
    def test_keeps_files_of_its_own_where_it_writes_them(self, secrets: Path, service: str):
        kept = {place: name for place, name in mounts(service).items() if "secrets" not in name}
        if service != "risk":
            assert kept == {}
            return
        environment = image_environment() | services()["risk"]["environment"]
        settings = settings_of("risk", environment, secrets=secrets / "risk")
        assert isinstance(settings, RiskSettings)
        assert kept == {str(settings.snapshot_dir): "risk-snapshots"}
        image = (ROOT / "deploy/Dockerfile").read_text()
        assert f"install -d -o 10001 -g 10001 {settings.snapshot_dir}" in image

    @pytest.mark.parametrize("service", SERVICES)
    def test_waits_for_its_tables_and_the_event_log(self, service: str):
        conditions = {
            name: wanted["condition"] for name, wanted in services()[service]["depends_on"].items()
        }
        before = "first-admin" if service == "identity" else f"migrate-{service}"
        assert conditions == {
            before: "service_completed_successfully",
            "kafka": "service_healthy",
        }

    @pytest.mark.parametrize("service", SERVICES)
    def test_is_migrated_as_the_owner_of_its_database(self, service: str):
        found = services()[f"migrate-{service}"]
        assert found["command"] == ["shared.kit.migrate", service]
        assert found["image"].startswith(f"tongbao/{service}:")
        assert mounts(f"migrate-{service}") == {
            image_environment()["SECRETS_DIR"]: f"{service}-owner-secrets"
        }

    def test_pools_fit_into_the_server(self):
        pools = sum(int(services()[name]["environment"]["DATABASE_POOL"]) for name in SERVICES)
        setting = next(s for s in services()["postgres"]["command"] if "max_connections" in s)
        assert pools + 20 <= int(setting.partition("=")[2])


class TestOutside:
    def test_meets_risk_alone(self):
        networks = {name: set(service.get("networks", {})) for name, service in services().items()}
        assert networks["bureau"] == {"outside"}
        assert {name for name, found in networks.items() if "outside" in found} == {
            "bureau",
            "risk",
        }

    def test_is_asked_by_risk_with_the_key_that_it_knows(self, secrets: Path):
        environment = image_environment() | services()["risk"]["environment"]
        risk = settings_of("risk", environment, secrets=secrets / "risk")
        assert isinstance(risk, RiskSettings)
        bureau = BureauSettings(_secrets_dir=secrets / "bureau")  # type: ignore[call-arg]
        assert services()["bureau"]["command"] == ["deploy.bureau"]
        assert mounts("bureau") == {image_environment()["SECRETS_DIR"]: "bureau-secrets"}
        port = image_environment()["PORT"]
        assert {source: str(url) for source, url in risk.source_urls.items()} == {
            source: f"http://bureau:{port}/{source}" for source in SAYS
        }
        assert {key.get_secret_value() for key in risk.source_keys.values()} == {
            key.get_secret_value() for key in bureau.bureau_keys.values()
        }


class TestOnce:
    def test_is_waited_for_by_another_container(self):
        # Else `docker compose up --wait` takes its end for a failure.
        waited = {
            name
            for service in services().values()
            for name, wanted in service.get("depends_on", {}).items()
            if wanted["condition"] == "service_completed_successfully"
        }
        assert waited == ONCE

    def test_makes_a_volume_for_each_holder_of_secrets(self, secrets: Path):
        folder = services()["secrets"]["command"][2]
        holders = {path.name for path in secrets.iterdir()}
        assert mounts("secrets") == {f"{folder}/{name}": f"{name}-secrets" for name in holders}
        assert services()["secrets"]["network_mode"] == "none"

    def test_makes_databases_on_the_server_that_services_are_told_of(self):
        command = services()["databases"]["command"]
        assert "--server=postgres:5432" in command
        server = services()["secrets"]["command"]
        assert server[server.index("--server") + 1] == "postgres:5432"
        found = mounts("databases")
        assert found == {"/run/postgres": "postgres-secrets", "/run/provision": "provision-secrets"}
        assert mounts("postgres")["/run/postgres"] == "postgres-secrets"

    def test_kafka_makes_no_topic_by_itself_and_serves_the_address_that_services_have(self):
        environment = services()["kafka"]["environment"]
        assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
        assert environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://kafka:9092"
