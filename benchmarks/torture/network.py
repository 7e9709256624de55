"""A small network of namespaces: one hub with a bridge, and hosts that hang on it by one cable each, which can be pulled out.

Nothing of it is in the machine's own network: the hub is a namespace, too. Needs root and iproute2.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HUB = "hub"
BRIDGE = "bridge0"
NETWORK = "10.77.0."


def why_not() -> str | None:
    """Return why namespaces cannot be made here, or None."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which("ip") is None:
        return "iproute2 (the command ip) is not installed"
    name = f"torture-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"network namespaces are not allowed here ({tried.stderr.strip()})"
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return None


class Network:
    """The hosts, by name; each has an address.

    Args:
        prefix: Of the namespaces' names, so that two runs do not meet.
    """

    def __init__(self, prefix: str, hosts: Sequence[str]) -> None:
        self._prefix = prefix
        self._hosts = list(hosts)

    def address(self, host: str) -> str:
        """Return a host's address; the hub's ends in 1."""
        return f"{NETWORK}{1 if host == HUB else 11 + self._hosts.index(host)}"

    def inside(self, host: str) -> list[str]:
        """Return what is put before a command to run it on a host."""
        return ["ip", "netns", "exec", self._namespace(host)]

    def cut(self, host: str) -> None:
        """Pull a host's cable out: nothing arrives, and nobody is told."""
        self._ip(HUB, "link", "set", self._cable(host), "down")

    def heal(self, host: str) -> None:
        """Plug it in again."""
        self._ip(HUB, "link", "set", self._cable(host), "up")

    def build(self) -> None:
        """Make it all."""
        for host in (HUB, *self._hosts):
            subprocess.run(["ip", "netns", "add", self._namespace(host)], check=True)
            self._ip(host, "link", "set", "lo", "up")
        self._ip(HUB, "link", "add", BRIDGE, "type", "bridge")
        self._ip(HUB, "addr", "add", f"{self.address(HUB)}/24", "dev", BRIDGE)
        self._ip(HUB, "link", "set", BRIDGE, "up")
        for host in self._hosts:
            self._ip(HUB, "link", "add", self._cable(host), "type", "veth", "peer", "name", "eth0", "netns", self._namespace(host))
            self._ip(HUB, "link", "set", self._cable(host), "master", BRIDGE, "up")
            self._ip(host, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
            self._ip(host, "link", "set", "eth0", "up")

    def remove(self) -> None:
        """Take down what there is of it."""
        for host in (HUB, *self._hosts):
            if Path(f"/run/netns/{self._namespace(host)}").exists():
                subprocess.run(["ip", "netns", "delete", self._namespace(host)], check=False)

    def _namespace(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def _cable(self, host: str) -> str:
        return f"to-{host}"

    def _ip(self, host: str, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self._namespace(host), *arguments], check=True)


@contextmanager
def built(prefix: str, hosts: Sequence[str]) -> Iterator[Network]:
    """Build a network, and remove it at the end."""
    network = Network(prefix, hosts)
    try:
        network.build()
        yield network
    finally:
        network.remove()
