"""The broker's jars: brought by Maven once, then kept beside the bank's data."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17
INSTALL_TIMEOUT_S = 600
#: A version that is named: Maven's own choice would change with the day.
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class KafkaError(Exception):
    """The broker cannot do what was asked; the text is one clear line."""


def missing() -> str | None:
    """What this machine lacks to install and run a broker, in words; None where it has all."""
    java = shutil.which("java")
    if java is None:
        return f"Java {OLDEST_JAVA} or newer is not installed"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"Java {OLDEST_JAVA} or newer is needed, not {said.splitlines()[0] if said else '?'}"
    if shutil.which("mvn") is None:
        return "Maven is not installed"
    return None


def jars_folder(home: Path) -> Path:
    """Where the jars of this version lie below `home`; another version has another folder."""
    return home / f"lib-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def install(home: Path, *, say: Callable[[str], None]) -> Path:
    """The folder of the jars, filled by Maven where that has not been done. Raises KafkaError."""
    folder = jars_folder(home)
    if folder.is_dir():
        return folder
    lacking = missing()
    if lacking is not None:
        raise KafkaError(f"{lacking}; install it, or name a broker: KAFKA_BOOTSTRAP_SERVERS=…")
    say("Maven brings Apache Kafka")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    command = ["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM), COPY]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={draft}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            raise KafkaError(f"Maven cannot bring Apache Kafka: {(said or ['no reason given'])[0]}")
        draft.replace(folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        if not folder.is_dir():  # else another process was as quick
            raise KafkaError(f"Maven cannot bring Apache Kafka: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder
