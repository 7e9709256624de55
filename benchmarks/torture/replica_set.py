"""A replica set of three members on hosts of a network: started, initiated, watched, ended."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ainoval.mongod import find_binary
from ainoval.mongod.server import FLAGS
from benchmarks.torture.network import Network

PORT = 27017
NAME = "rs0"
ELECTION_MILLISECONDS = 2_000

Json = dict[str, Any]


class ReplicaSet:
    """Three mongods.

    Args:
        folder: Where their data and logs go.
    """

    def __init__(self, network: Network, hosts: list[str], folder: Path) -> None:
        self._network = network
        self.hosts = hosts
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def uri(self) -> str:
        """For drivers, in every namespace."""
        return f"mongodb://{','.join(f'{self._network.address(host)}:{PORT}' for host in self.hosts)}/?replicaSet={NAME}"

    def start(self) -> None:
        """Start them and make them a set."""
        binary = find_binary(copy_to=self._folder)
        flags = [flag for flag in FLAGS if flag not in ("--bind_ip", "127.0.0.1")]
        for host in self.hosts:
            data = self._folder / host
            data.mkdir()
            command = [*self._network.inside(host), str(binary), "--dbpath", str(data), "--port", str(PORT), "--bind_ip_all", *flags]
            with (self._folder / f"{host}.log").open("wb") as log:
                self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"LC_ALL": "C"}, start_new_session=True))
        members = [{"_id": number, "host": f"{self._network.address(host)}:{PORT}"} for number, host in enumerate(self.hosts)]
        config = {"_id": NAME, "members": members, "settings": {"electionTimeoutMillis": ELECTION_MILLISECONDS}}
        deadline = time.monotonic() + 30
        while True:
            try:
                with self._direct(self.hosts[0]) as client:
                    client.admin.command({"replSetInitiate": config})
                break
            except PyMongoError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self.primary(30)

    def _direct(self, host: str) -> "MongoClient[Json]":
        address = f"mongodb://{self._network.address(host)}:{PORT}/?directConnection=true"
        return MongoClient(address, serverSelectionTimeoutMS=1_000, connectTimeoutMS=1_000, socketTimeoutMS=2_000)

    def primary(self, seconds: float, but_for: str | None = None) -> tuple[str, int]:
        """Wait for a writable primary; return its host and its term."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for host in self.hosts:
                if host == but_for:
                    continue
                try:
                    with self._direct(host) as client:
                        hello = client.admin.command("hello")
                        if hello.get("isWritablePrimary"):
                            return host, int(client.admin.command("replSetGetStatus")["term"])
                except PyMongoError:
                    continue
            time.sleep(0.05)
        raise RuntimeError(f"the replica set has no primary within {seconds} s")

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
        for process in self._processes:
            process.wait(10)
