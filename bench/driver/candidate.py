"""What is compared."""

import shutil
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from .load import KINDS

BOTH = tuple(KINDS)
TLS = tuple(kind for kind in KINDS if kind.startswith("tls"))
HTTP = ("http",)


@dataclass(frozen=True)
class Candidate:
    """A proxy and how it is started.

    command and files may have {port}, {port2} (its own), {dir} (for its files), {tcp} (the receiver's port), {stream},
    {datagram}, {acknowledged} (the receiver's UNIX sockets) and {name} (the host to route).
    """

    name: str
    command: Optional[List[str]]          # None: no proxy, clients go to the receiver itself
    kinds: Tuple[str, ...] = BOTH         # the traffic that it can route
    files: Dict[str, str] = field(default_factory=dict)
    environment: Dict[str, str] = field(default_factory=dict)
    java: bool = False                    # it needs a longer warm-up
    tls_port: str = "port"                # where it takes TLS: the name of one of its ports
    most: int = 0                         # connections that it can have at once; 0: no limit of its own
    package: str = ""                     # what installs it
    version: Optional[List[str]] = None   # prints its version

    def missing(self):
        """The program that is not there, or None."""
        if self.command and not shutil.which(self.command[0]):
            return self.command[0]
        return None

    def port_of(self, kind):
        return self.tls_port if kind in TLS else "port"


def filled(text, values):
    """The text with {name} replaced; other braces stay."""
    for name, value in values.items():
        text = text.replace("{%s}" % name, str(value))
    return text
