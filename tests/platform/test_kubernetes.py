"""What kustomize makes of k8s/: valid for Kubernetes, and in agreement with the code."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

from deploy.local.programs import BY_NAME
from gateway import main as gateway_main
from services.risk.settings import RiskSettings
from shared.contracts.topics import SERVICES
from shared.kit.app import health
from tests.platform.tools import IMAGES, ROOT, built, image_environment, settings_of

FOLDERS = ("k8s/base", "k8s/overlays/demo")
#: The oldest that has `preStop.sleep` switched on, and the newest that the checker knows.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
ROLES = ("api", "worker")
#: Secrets that are made by the operators' resources in k8s/references, or by hand.
FOREIGN_SECRETS = {"tongbao-cluster-ca-cert", "tongbao-postgres-ca", "bank-certificate", *SERVICES}


def of_kind(kind: str, *, folder: str = "k8s/base") -> dict[str, dict]:
    return {item["metadata"]["name"]: item for item in built(folder) if item["kind"] == kind}


def templates(folder: str = "k8s/base") -> dict[str, dict]:
    """Every pod template by the name of its Deployment or Job."""
    found = of_kind("Deployment", folder=folder) | of_kind("Job", folder=folder)
    return {name: item["spec"]["template"] for name, item in found.items()}


def container_of(template: dict) -> dict:
    (container,) = template["spec"]["containers"]
    assert "initContainers" not in template["spec"]
    return dict(container)


def environment_of(template: dict, folder: str = "k8s/base") -> dict[str, str]:
    """The container's variables: the image's, those of its config maps, its own."""
    container = container_of(template)
    found = image_environment()
    for source in container.get("envFrom", []):
        found |= of_kind("ConfigMap", folder=folder)[source["configMapRef"]["name"]]["data"]
    return found | {entry["name"]: entry["value"] for entry in container.get("env", [])}


def secrets_of(template: dict) -> dict[str, set[str]]:
    """The secrets that a pod mounts, by the place of their mount."""
    places = {m["name"]: m["mountPath"] for m in container_of(template)["volumeMounts"]}
    found: dict[str, set[str]] = {}
    for volume in template["spec"]["volumes"]:
        names = {s["secret"]["name"] for s in volume.get("projected", {}).get("sources", [])}
        names |= {volume["secret"]["secretName"]} if "secret" in volume else set()
        if names:
            found[places[volume["name"]]] = names
    return found


def selected(selector: dict, labels: dict[str, str]) -> bool:
    """Whether a label selector takes a pod with these labels."""
    wanted = selector.get("matchLabels", {})
    lists = selector.get("matchExpressions", [])
    assert all(entry["operator"] == "In" for entry in lists)
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        labels.get(entry["key"]) in entry["values"] for entry in lists
    )


@pytest.mark.parametrize("folder", FOLDERS)
class TestManifests:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_are_valid_for_kubernetes(self, folder: str, version: str):
        items = built(folder)
        assert len(items) > 70
        for item in items:
            kubernetes_validate.validate(item, version, strict=True)

    def test_have_no_secret_in_them(self, folder: str):
        assert not of_kind("Secret", folder=folder)

    def test_name_only_what_exists(self, folder: str, secrets: Path):
        accounts = of_kind("ServiceAccount", folder=folder)
        made = {f"{path.name}-secrets" for path in secrets.iterdir()} | FOREIGN_SECRETS
        for name, template in templates(folder).items():
            assert template["spec"]["serviceAccountName"] in accounts, name
            environment_of(template, folder)  # finds the config maps
            for names in secrets_of(template).values():
                assert names <= made, name
        deployments = of_kind("Deployment", folder=folder)
        for scaler in of_kind("HorizontalPodAutoscaler", folder=folder).values():
            assert scaler["spec"]["scaleTargetRef"]["name"] in deployments

    def test_select_exactly_their_own_pods(self, folder: str):
        pods = {name: t["metadata"]["labels"] for name, t in templates(folder).items()}
        for kind in ("Deployment", "PodDisruptionBudget"):
            for name, item in of_kind(kind, folder=folder).items():
                found = {
                    pod
                    for pod, labels in pods.items()
                    if selected(item["spec"]["selector"], labels)
                }
                assert found == {name}
        for name, item in of_kind("Service", folder=folder).items():
            selector = {"matchLabels": item["spec"]["selector"]}
            assert {pod for pod, labels in pods.items() if selected(selector, labels)} == {name}

    def test_run_programs_bounded_and_without_rights(self, folder: str):
        for name, template in templates(folder).items():
            pod, container = template["spec"], container_of(template)
            assert pod["automountServiceAccountToken"] is False, name
            assert pod["enableServiceLinks"] is False, name
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            assert pod["securityContext"]["runAsUser"] == 10001, name
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            for bound in ("requests", "limits"):
                assert set(container["resources"][bound]) == {"cpu", "memory"}, name
            for volume in pod["volumes"]:
                assert set(volume) - {"name"} <= {"projected", "secret", "emptyDir"}, name
                if "emptyDir" in volume:
                    assert "sizeLimit" in volume["emptyDir"], name

    def test_use_images_that_the_image_file_makes(self, folder: str):
        for template in templates(folder).values():
            name, _, tag = container_of(template)["image"].partition(":")
            assert name in IMAGES
            assert f'version = "{tag}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("service", SERVICES)
class TestService:
    @pytest.mark.parametrize("role", ROLES)
    def test_runs_as_each_role_of_its_image(self, service: str, role: str, secrets: Path):
        template = templates()[f"{service}-{role}"]
        container = container_of(template)
        assert container["image"].startswith(f"tongbao/{service}:")
        assert container["args"] == [BY_NAME[service].module]
        environment = environment_of(template)
        settings = settings_of(service, environment, secrets=secrets / service)
        assert settings.role == role
        assert settings.bus == "kafka"
        assert settings.kafka_sasl_username == service
        assert settings.kafka_security_protocol == "SASL_SSL"

    @pytest.mark.parametrize("role", ROLES)
    def test_mounts_its_own_secrets_where_it_looks_for_them(self, service: str, role: str):
        template = templates()[f"{service}-{role}"]
        environment = environment_of(template)
        assert environment["SECRETS_DIR"] == environment["KEYS_DIR"]
        assert secrets_of(template)[environment["SECRETS_DIR"]] == {f"{service}-secrets", service}
        paths = {
            item["path"]
            for volume in template["spec"]["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
            for item in source["secret"].get("items", [])
        }
        assert paths == {"kafka_sasl_password", "kafka.crt", "postgres.crt"}
        authorities = {environment["KAFKA_SSL_CAFILE"], environment["PGSSLROOTCERT"]}
        assert authorities == {"/etc/authorities/kafka.crt", "/etc/authorities/postgres.crt"}

    @pytest.mark.parametrize("role", ROLES)
    def test_is_probed_where_it_answers(self, service: str, role: str):
        template = templates()[f"{service}-{role}"]
        container = container_of(template)
        (port,) = container["ports"]
        assert str(port["containerPort"]) == environment_of(template)["PORT"]
        paths = {}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container[probe]["httpGet"]
            assert asked["port"] == port["name"]
            paths[probe] = asked["path"]
        assert set(paths.values()) <= {route.path for route in health.routes}
        # A database that is away must not restart every pod of the bank.
        assert paths["livenessProbe"] == "/healthz"
        assert paths["readinessProbe"] == "/readyz"

    def test_calls_those_whom_it_calls_elsewhere(self, service: str):
        for role in ROLES:
            peers = json.loads(environment_of(templates()[f"{service}-{role}"]).get("PEERS", "{}"))
            assert set(peers) == set(BY_NAME[service].peers)
            for peer, url in peers.items():
                address = urlsplit(url)
                target = of_kind("Service")[address.hostname or ""]
                assert address.hostname == f"{peer}-api"
                (port,) = target["spec"]["ports"]
                assert port["port"] == address.port

    def test_is_migrated_as_the_owner_of_its_database(self, service: str):
        template = templates()[f"{service}-migrate"]
        container = container_of(template)
        assert container["args"] == ["shared.kit.migrate", service]
        assert container["image"].startswith(f"tongbao/{service}:")
        folder = environment_of(template)["SECRETS_DIR"]
        assert secrets_of(template)[folder] == {f"{service}-owner-secrets"}

    def test_stays_available_while_nodes_and_versions_change(self, service: str):
        budgets = of_kind("PodDisruptionBudget")
        assert {f"{service}-api", f"{service}-worker"} <= set(budgets)
        assert of_kind("HorizontalPodAutoscaler")[f"{service}-api"]["spec"]["minReplicas"] >= 2
        assert "replicas" not in of_kind("Deployment")[f"{service}-api"]["spec"]
        assert of_kind("Deployment")[f"{service}-worker"]["spec"]["replicas"] >= 2


class TestNetwork:
    def allowed(self, source: dict[str, str], target: dict[str, str], port: int) -> bool:
        """Whether the policies let a pod with `source` labels reach one with `target` labels."""
        policies = [item["spec"] for item in of_kind("NetworkPolicy").values()]

        def opened(direction: str, own: dict[str, str], other: dict[str, str]) -> bool:
            rules, field = direction.lower(), {"Ingress": "from", "Egress": "to"}[direction]
            mine = [p for p in policies if selected(p["podSelector"], own)]
            mine = [policy for policy in mine if direction in policy["policyTypes"]]
            assert mine, "every pod is closed by some policy"
            return any(
                port in [entry["port"] for entry in rule["ports"]]
                and any(
                    "namespaceSelector" not in peer and selected(peer["podSelector"], other)
                    for peer in rule[field]
                )
                for policy in mine
                for rule in policy.get(rules, [])
            )

        bank = target.get("app.kubernetes.io/part-of") == "tongbao"
        return opened("Egress", source, target) and (not bank or opened("Ingress", target, source))

    def test_lets_services_call_whom_they_call_and_nobody_else(self):
        pods = {name: t["metadata"]["labels"] for name, t in templates().items()}
        wanted = {
            (f"{service}-{role}", f"{peer}-api")
            for service in SERVICES
            for role in ROLES
            for peer in BY_NAME[service].peers
        }
        found = {(a, b) for a in pods for b in pods if self.allowed(pods[a], pods[b], port=8080)}
        assert found == wanted

    def test_lets_all_reach_the_database_and_services_alone_the_event_log(self):
        database = {"cnpg.io/cluster": "tongbao-postgres"}
        event_log = {"strimzi.io/cluster": "tongbao", "strimzi.io/name": "tongbao-kafka"}
        services = {f"{service}-{role}" for service in SERVICES for role in ROLES}
        for name, template in templates().items():
            labels = template["metadata"]["labels"]
            assert self.allowed(labels, database, port=5432), name
            assert self.allowed(labels, event_log, port=9093) == (name in services), name
            assert not self.allowed(labels, event_log, port=5432), name

    def test_takes_the_ports_of_the_settings(self, secrets: Path):
        environment = environment_of(templates()["ledger-api"])
        assert environment["KAFKA_BOOTSTRAP_SERVERS"].endswith(":9093")
        command = container_of(templates()["provision-databases"])["args"]
        assert "--server=tongbao-postgres-rw:5432" in command


class TestDemo:
    FOLDER = "k8s/overlays/demo"

    def test_is_of_one_namespace(self):
        (namespace,) = of_kind("Namespace", folder=self.FOLDER)
        for item in built(self.FOLDER):
            if item["kind"] != "Namespace":
                assert item["metadata"]["namespace"] == namespace

    def test_shows_the_public_every_route_of_the_gateway_but_not_its_metrics(self):
        (ingress,) = of_kind("Ingress", folder=self.FOLDER).values()
        (rule,) = ingress["spec"]["rules"]
        paths = [(path["path"], path["pathType"]) for path in rule["http"]["paths"]]

        def shown(route: str) -> bool:
            return any(
                route == path or (kind == "Prefix" and route.startswith(f"{path}/"))
                for path, kind in paths
            )

        parts = [part for part in vars(gateway_main).values() if hasattr(part, "router")]
        routes = {route.path for part in parts for route in part.router.routes}
        assert len(routes) > 20
        assert {route for route in routes if not shown(route)} == set()
        assert not any(shown(route.path) for route in health.routes)
        environment = environment_of(templates(self.FOLDER)["gateway-api"], self.FOLDER)
        assert environment["PUBLIC_URL"] == f"https://{rule['host']}"

    def test_keeps_one_time_codes_in_a_place_of_the_pod_that_makes_them(self, secrets: Path):
        template = templates(self.FOLDER)["identity-api"]
        environment = environment_of(template, self.FOLDER)
        settings_of("identity", environment, secrets=secrets / "identity")
        folder = str(Path(environment["MESSAGES_FILE"]).parent)
        assert folder in {m["mountPath"] for m in container_of(template)["volumeMounts"]}
        scaler = of_kind("HorizontalPodAutoscaler", folder=self.FOLDER)["identity-api"]
        assert scaler["spec"]["maxReplicas"] == 1


class TestSnapshots:
    def test_of_risk_are_kept_where_it_writes_them_and_decisions_are_made(self, secrets: Path):
        for name, template in templates().items():
            environment = environment_of(template)
            places = {m["mountPath"] for m in container_of(template)["volumeMounts"]}
            if name != "risk-api":
                assert "SNAPSHOT_DIR" not in environment
                continue
            settings = settings_of("risk", environment, secrets=secrets / "risk")
            assert isinstance(settings, RiskSettings)
            assert str(settings.snapshot_dir) in places
