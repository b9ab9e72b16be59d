"""The Apache Kafka under test: a real broker, which a test may kill, freeze and start again."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy import kafka

ROOT = Path(__file__).resolve().parents[1]
#: `make kafka` keeps the jars here too.
JARS = ROOT / ".run/kafka"
HOST = "127.0.0.1"
USER, PASSWORD = "bank", "a-password-of-the-tests"
#: Ports of one broker: plain, controller, and the two that ask who one is.
PORTS = 4


@dataclass
class Broker:
    """Started once a test session; `folder` has the files of one run folder."""

    folder: Path
    port: int

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    def settings(self) -> dict[str, str]:
        """The environment of a client."""
        return {"BUS": "kafka", "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap}

    def sasl_settings(self) -> dict[str, str]:
        """The same for the listener that asks for a name and a password."""
        return {
            "BUS": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self.port + 2}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
        }

    def tls_settings(self) -> dict[str, str]:
        """The same for the listener that speaks TLS and asks for a certificate."""
        return {
            "BUS": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self.port + 3}",
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CAFILE": str(self.folder / "ca.pem"),
            "KAFKA_SSL_CERTFILE": str(self.folder / "cert.pem"),
            "KAFKA_SSL_KEYFILE": str(self.folder / "key.pem"),
        }

    def start(self) -> None:
        """Returns when it listens; nothing happens where it does already."""
        kafka.start(
            self.folder, port=self.port, jars=JARS, say=print, settings=_listeners(self.port, self)
        )

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        self._signal(signal.SIGKILL)
        kafka.stop(self.folder)

    def freeze(self) -> None:
        """It holds its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        found = kafka.running(self.folder)
        assert found is not None, "the broker runs"
        os.kill(found.pid, number)
        if number == signal.SIGKILL:
            psutil.Process(found.pid).wait(10)


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A broker with empty topics in `folder`; it ends with the block."""
    broker = Broker(folder=folder, port=_free_ports())
    _write_certificates(folder)
    broker.start()
    try:
        yield broker
    finally:
        kafka.destroy(folder)


def _listeners(port: int, broker: Broker) -> dict[str, str]:
    sasl, tls = "listener.name.sasl_plaintext", "listener.name.ssl"
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    own = f"PLAINTEXT://{HOST}:{port},SASL_PLAINTEXT://{HOST}:{port + 2},SSL://{HOST}:{port + 3}"
    return {
        "listeners": f"{own},CONTROLLER://{HOST}:{port + 1}",
        "advertised.listeners": own,
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL"
        ),
        "sasl.enabled.mechanisms": "PLAIN",
        f"{sasl}.plain.sasl.jaas.config": f'{module} user_{USER}="{PASSWORD}";',
        f"{tls}.ssl.client.auth": "required",
        f"{tls}.ssl.keystore.type": "PEM",
        f"{tls}.ssl.keystore.location": str(broker.folder / "broker.pem"),
        f"{tls}.ssl.truststore.type": "PEM",
        f"{tls}.ssl.truststore.location": str(broker.folder / "ca.pem"),
    }


def _free_ports() -> int:
    """The first of four free ports in a row."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            first = int(probe.getsockname()[1])
        if first + PORTS < 65_535 and all(_is_free(first + n) for n in range(PORTS)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _write_certificates(folder: Path) -> None:
    """An authority, and one certificate of it, with which broker and client know each other."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("tests", authority_key, "tests", authority_key)
    own = _certificate("tests", authority_key, HOST, key)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain, above = (one.public_bytes(serialization.Encoding.PEM) for one in (own, authority))
    for name, content in {
        "ca.pem": above,
        "cert.pem": chain,
        "key.pem": private,
        "broker.pem": private + chain + above,
    }.items():
        (folder / name).write_bytes(content)


def _certificate(
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    subject: str,
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer == subject, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False
        )
    )
    return builder.sign(issuer_key, hashes.SHA256())
