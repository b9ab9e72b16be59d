"""The operators' example resources against the topic table and the services."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from shared.contracts.topics import DEAD_LETTERS, SERVICES, TOPICS
from shared.kit.bus import kafka
from tests.platform.test_kubernetes import VERSIONS, environment_of, of_kind, selected, templates
from tests.platform.tools import ROOT, compose, image_environment

FOLDER = ROOT / "k8s/references"


def resources(name: str) -> list[dict]:
    return [item for item in yaml.safe_load_all((FOLDER / name).read_text()) if item]


def named(name: str, kind: str) -> dict[str, dict]:
    return {i["metadata"]["name"]: i["spec"] for i in resources(name) if i["kind"] == kind}


class TestTopics:
    def test_are_those_of_the_topic_table(self):
        assert set(named("topics.yaml", "KafkaTopic")) == {t.name for t in (*TOPICS, *DEAD_LETTERS)}

    @pytest.mark.parametrize("topic", [*TOPICS, *DEAD_LETTERS], ids=lambda topic: topic.name)
    def test_are_declared_as_services_would_make_them(self, topic):
        found = named("topics.yaml", "KafkaTopic")[topic.name]
        declared = kafka._declared(topic.name)
        assert found["partitions"] == declared["num_partitions"]
        assert {name: str(value) for name, value in found["config"].items()} == declared["configs"]

    def test_have_as_many_copies_as_there_are_nodes(self):
        (nodes,) = named("kafka.yaml", "KafkaNodePool").values()
        (cluster,) = named("kafka.yaml", "Kafka").values()
        assert cluster["kafka"]["config"]["min.insync.replicas"] < nodes["replicas"]
        for topic in named("topics.yaml", "KafkaTopic").values():
            assert topic["replicas"] == nodes["replicas"]


class TestUsers:
    @pytest.mark.parametrize("service", SERVICES)
    def test_may_what_the_topic_table_says_and_no_more(self, service: str):
        rules = named("users.yaml", "KafkaUser")[service]["authorization"]["acls"]
        found = {
            (rule["resource"]["type"], rule["resource"]["name"], operation)
            for rule in rules
            for operation in rule["operations"]
        }
        written = {t.name for t in (*TOPICS, *DEAD_LETTERS) if service in t.producers}
        read = {t.name for t in TOPICS if service in t.consumers}
        wanted = {("topic", name, "Write") for name in written}
        wanted |= {("topic", name, "Read") for name in read}
        wanted |= {("topic", name, "Describe") for name in written | read}
        if read:
            wanted |= {("group", service, "Read"), ("group", service, "Describe")}
        assert found == wanted
        assert {rule["resource"]["patternType"] for rule in rules} == {"literal"}

    def test_sign_in_as_the_services_are_told(self):
        (cluster,) = named("kafka.yaml", "Kafka").values()
        (listener,) = cluster["kafka"]["listeners"]
        for service in SERVICES:
            environment = environment_of(templates()[f"{service}-worker"])
            user = named("users.yaml", "KafkaUser")[environment["KAFKA_SASL_USERNAME"]]
            assert user["authentication"] == listener["authentication"]
            mechanism = environment["KAFKA_SASL_MECHANISM"].lower()
            assert mechanism == listener["authentication"]["type"]
            assert listener["tls"] is True
            (name,) = named("kafka.yaml", "Kafka")
            address = f"{name}-kafka-bootstrap:{listener['port']}"
            assert environment["KAFKA_BOOTSTRAP_SERVERS"] == address


class TestPostgres:
    def test_takes_every_pool_at_the_most_of_scaling(self):
        (cluster,) = named("postgres.yaml", "Cluster").values()
        pools = 0
        for service in SERVICES:
            most = of_kind("HorizontalPodAutoscaler")[f"{service}-api"]["spec"]["maxReplicas"]
            most += of_kind("Deployment")[f"{service}-worker"]["spec"]["replicas"]
            pools += most * int(environment_of(templates()[f"{service}-api"])["DATABASE_POOL"])
        assert pools < int(cluster["postgresql"]["parameters"]["max_connections"])

    def test_has_the_superuser_that_provisioning_knows(self, secrets: Path):
        (cluster,) = named("postgres.yaml", "Cluster").values()
        name = cluster["superuserSecret"]["name"].removesuffix("-secrets")
        assert {file.name for file in (secrets / name).iterdir()} == {"username", "password"}
        assert (secrets / name / "username").read_text() == "postgres"

    def test_is_the_version_that_the_bank_is_tested_on(self):
        from deploy.postgres.binaries import MAJOR

        (cluster,) = named("postgres.yaml", "Cluster").values()
        assert cluster["imageName"].endswith(f":{MAJOR}")
        assert f"image: postgres:{MAJOR}\n" in (ROOT / "docker-compose.yml").read_text()


class TestSimulatedSources:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_are_valid_for_kubernetes(self, version: str):
        for item in resources("bureau.yaml"):
            kubernetes_validate.validate(item, version, strict=True)

    def test_are_asked_by_risks_api_alone_and_ask_nobody(self):
        own = named("bureau.yaml", "Deployment")["bureau"]["template"]["metadata"]["labels"]
        policy = named("bureau.yaml", "NetworkPolicy")["bureau-callers"]
        assert selected(policy["podSelector"], own)
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert "egress" not in policy
        (rule,) = policy["ingress"]
        (caller,) = rule["from"]
        leads = named("bureau.yaml", "NetworkPolicy")["risk-sources"]["podSelector"]
        for name, template in templates().items():
            labels = template["metadata"]["labels"]
            assert selected(caller["podSelector"], labels) == (name == "risk-api"), name
            assert selected(leads, labels) == (name == "risk-api"), name

    def test_run_as_compose_runs_them(self):
        spec = named("bureau.yaml", "Deployment")["bureau"]["template"]["spec"]
        (container,) = spec["containers"]
        found = compose("docker-compose.yml")["services"]["bureau"]
        assert (container["image"], container["args"]) == (found["image"], found["command"])
        assert spec["volumes"][0]["secret"]["secretName"] == found["volumes"][0]["source"]
        port = named("bureau.yaml", "Service")["bureau"]["ports"][0]["port"]
        assert str(port) == image_environment()["PORT"]
