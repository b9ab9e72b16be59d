"""Start, find, stop and destroy the PostgreSQL server of one run folder."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from deploy.postgres import binaries, cluster, credentials, places, processes
from deploy.postgres.accounts import account_of, private_folder
from deploy.postgres.errors import PostgresError, reported

STOP_TIMEOUT_S = 60.0
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Server:
    """A running server. `port` only names the socket's file; nothing listens on the network."""

    run_dir: Path
    data_dir: Path
    socket_dir: Path
    port: int
    pid: int
    bin_dir: Path
    log_file: Path

    def dsn(self, database: str, role: str, password: str) -> str:
        """SQLAlchemy's address of a database on this server, for the driver asyncpg."""
        return (
            f"postgresql+asyncpg://{quote(role, safe='')}:{quote(password, safe='')}"
            f"@/{quote(database, safe='')}?host={quote(str(self.socket_dir))}&port={self.port}"
        )


def start(run_dir: Path, *, settings: Mapping[str, str] = NO_SETTINGS) -> Server:
    """Start the server of `run_dir`, with a new database if there is none; return when it is ready.

    A server that runs already is returned as it is, with the settings it was started with.
    `settings` are PostgreSQL's own, and go over the defaults in `cluster.SETTINGS`.
    Raises PostgresError, in one clear line, for whatever stands in the way.
    """
    _check_settings(settings)
    run_dir = run_dir.resolve()
    with reported("start PostgreSQL"):
        run_dir.mkdir(parents=True, exist_ok=True)
        with places.locked(run_dir) as lock:
            place = _place_with_passwords(run_dir)
            places.prepare(place)
            bin_dir = _bin_dir(place)
            found = processes.wait_until_ready(place.data_dir, timeout_s=cluster.START_TIMEOUT_S)
            if found is not None and _reachable(found):
                return _server(place, found, bin_dir=bin_dir)
            processes.shut_down(place.data_dir, timeout_s=STOP_TIMEOUT_S)
            socket_dir = private_folder(places.socket_folder(place), account=place.account)
            processes.clear_remains(place, socket_dir=socket_dir)
            if not place.initialised:
                cluster.create(
                    place,
                    bin_dir=bin_dir,
                    superuser_password=credentials.created(run_dir).superuser,
                    durable=settings.get("fsync") != "off",
                    lock=lock,
                )
            cluster.check_version(place)
            if places.recorded(run_dir) is None:
                places.remember(place)
            cluster.launch(place, bin_dir=bin_dir, socket_dir=socket_dir, settings=settings)
            started = processes.wait_until_ready(place.data_dir, timeout_s=STOP_TIMEOUT_S)
            if started is None:
                raise PostgresError(f"PostgreSQL ended again; see {cluster.log_file(run_dir)}")
            return _server(place, started, bin_dir=bin_dir)


def running(run_dir: Path) -> Server | None:
    """The server of `run_dir` if it takes connections now, else None. Changes nothing."""
    run_dir = run_dir.resolve()
    with reported("look for PostgreSQL"):
        place = places.recorded(run_dir)
        found = None if place is None else processes.postmaster(place.data_dir)
        if place is None or found is None or not found.ready:
            return None
        return _server(place, found, bin_dir=_bin_dir(place))


def stop(server: Server) -> None:
    """Shut the server down cleanly: open transactions are rolled back, sessions closed.

    Nothing happens if it does not run. Raises PostgresError if it had to be ended by force; then
    the next start recovers from its log.
    """
    with reported("stop PostgreSQL"), places.locked(server.run_dir):
        clean = processes.shut_down(server.data_dir, timeout_s=STOP_TIMEOUT_S)
        _remove_socket_folder(server.socket_dir)
        if not clean:
            raise PostgresError(
                f"PostgreSQL did not come down within {STOP_TIMEOUT_S:.0f} s and was ended at once"
            )


def destroy(run_dir: Path) -> None:
    """Stop the server of `run_dir` and remove its data, wherever it is, and its passwords.

    Nothing happens if there is none. Other files of the run folder are left alone.
    """
    run_dir = run_dir.resolve()
    if not run_dir.is_dir():
        return
    with reported("remove the database"), places.locked(run_dir):
        inside, outside = places.homes(run_dir)
        for home in (inside, outside, *places.set_aside_homes(run_dir)):
            if home.is_dir():
                _remove_home(run_dir, home)
        credentials.secrets_file(run_dir).unlink(missing_ok=True)
        places.record_file(run_dir).unlink(missing_ok=True)


def superuser_dsn(server: Server, database: str = cluster.SUPERUSER) -> str:
    """The address of a database for the superuser, for operators and tests; no service has it."""
    password = credentials.required(server.run_dir).superuser
    return server.dsn(database, cluster.SUPERUSER, password)


def _place_with_passwords(run_dir: Path) -> places.Place:
    """Where the data is or belongs, once it is sure that data and passwords fit together."""
    place = places.recorded(run_dir)
    if place is not None:
        if not place.initialised:
            raise PostgresError(
                f"the data of this bank is gone from {place.data_dir}; `make reset` starts anew"
            )
        credentials.required(run_dir)
        return place
    place = places.chosen(run_dir)
    if not place.initialised or credentials.load(run_dir) is not None:
        return place
    inside, _ = places.homes(run_dir)
    if place.home == inside:
        credentials.required(run_dir)
    # The run folder was deleted by hand; what is outside of it is the former bank's.
    processes.shut_down(place.data_dir, timeout_s=STOP_TIMEOUT_S)
    places.set_aside(place, now=datetime.now(UTC))
    return places.chosen(run_dir)


def _check_settings(settings: Mapping[str, str]) -> None:
    fixed = {
        "listen_addresses",
        "unix_socket_directories",
        "unix_socket_permissions",
        "port",
        "cluster_name",
        "data_directory",
        "hba_file",
        "config_file",
        "external_pid_file",
        "logging_collector",
    }
    for name in settings:
        if name in fixed or not re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", name):
            raise PostgresError(f"the PostgreSQL setting {name!r} cannot be set here")


def _bin_dir(place: places.Place) -> Path:
    return binaries.bin_folder(place.account, copies=places.system_folder)


def _reachable(found: processes.Postmaster) -> bool:
    """Whether the socket of a live server is still there; cleaners of `/tmp` may have taken it."""
    return (
        found.socket_dir is not None and (found.socket_dir / f".s.PGSQL.{found.port}").is_socket()
    )


def _server(place: places.Place, found: processes.Postmaster, *, bin_dir: Path) -> Server:
    if found.socket_dir is None or found.port is None:
        raise PostgresError(f"{place.data_dir}/postmaster.pid names no socket")
    return Server(
        run_dir=place.run_dir,
        data_dir=place.data_dir,
        socket_dir=found.socket_dir,
        port=found.port,
        pid=found.pid,
        bin_dir=bin_dir,
        log_file=cluster.log_file(place.run_dir),
    )


def _remove_home(run_dir: Path, home: Path) -> None:
    place = places.Place(run_dir=run_dir, home=home, account=account_of(home.stat().st_uid))
    processes.shut_down(place.data_dir, timeout_s=STOP_TIMEOUT_S)
    socket_dir = places.socket_folder(place)
    if socket_dir.exists():
        private_folder(socket_dir, account=place.account)
        processes.clear_remains(place, socket_dir=socket_dir)
        _remove_socket_folder(socket_dir)
    shutil.rmtree(home)


def _remove_socket_folder(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # gone, or something of another program lies in it
        return
