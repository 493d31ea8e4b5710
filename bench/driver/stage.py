"""The stage: one receiver, and candidates that run side by side."""

import os
import shutil
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Dict, Optional

from . import places
from .candidate import Candidate, filled
from .load import LoadError, new_connections
from .processes import Session, wait_listening


@dataclass
class Player:
    """A candidate that runs. Without a session it is the receiver itself."""

    candidate: Candidate
    ports: Dict[str, int]
    session: Optional[Session]

    @property
    def name(self):
        return self.candidate.name

    def port(self, kind):
        return self.ports[self.candidate.port_of(kind)]

    def cpu_ns(self):
        return self.session.cpu_ns() if self.session else 0


START = time.monotonic()


def say(text):
    print("bench: %3d s: %s" % (time.monotonic() - START, text), file=sys.stderr, flush=True)


def free_ports(count):
    """Ports that nobody listens on now, below those that the kernel gives to clients."""
    found, port = [], 18000
    while len(found) < count:
        port += 1
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                continue
    return found


class Stage:
    """Starts the receiver, then candidates; ends all of them.

    With `split` proxies have the first core for themselves, and the receiver and the load generator share the second: so a
    proxy's CPU time has the least to do with what the others do.
    """

    def __init__(self, split=True):
        cores = sorted(os.sched_getaffinity(0))
        self.proxy_core, self.load_core = (cores[0], cores[1]) if split and len(cores) > 1 else (None, None)
        self.directory = tempfile.mkdtemp(prefix="bench.")
        os.chmod(self.directory, 0o755)
        self.ports = free_ports(60)
        self.players = {}
        self.values = {"tcp": self.ports.pop(), "name": places.NAME}
        for kind in ("stream", "datagram", "acknowledged"):
            self.values[kind] = os.path.join(self.directory, kind)
        self.receiver = Session(
            [places.program("receiver"), "-t", str(self.values["tcp"]), "-u", self.values["stream"],
             "-g", self.values["datagram"], "-a", self.values["acknowledged"]],
            os.path.join(self.directory, "receiver.log"), self.load_core)
        if not wait_listening(self.values["tcp"], self.receiver):
            raise RuntimeError("the receiver has not started: " + self.receiver.said())

    def prepared(self, candidate):
        """Writes its files: its command, its ports, its log."""
        directory = os.path.join(self.directory, candidate.name.replace(" ", "-"))
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        os.chmod(directory, 0o777)
        ports = {"port": self.ports.pop(0), "port2": self.ports.pop(0)}
        values = dict(self.values, dir=directory, **ports)
        for name, text in candidate.files.items():
            with open(os.path.join(directory, name), "w") as file:
                file.write(filled(text, values))
        return [filled(word, values) for word in candidate.command], ports, os.path.join(directory, "log")

    def returned(self, ports):
        self.ports.extend(ports.values())

    def play(self, candidate, core=None):
        """A player, which must be ended, or None with a word about why."""
        if candidate.command is None:
            return Player(candidate, {"port": self.values["tcp"]}, None)
        command, ports, log = self.prepared(candidate)
        session = Session(command, log, core, candidate.environment)
        if not all(wait_listening(ports[candidate.port_of(kind)], session) for kind in candidate.kinds):
            say("%s has not started: %s" % (candidate.name, session.said()))
            session.end()
            return None
        session.refresh()
        return Player(candidate, ports, session)

    def start(self, candidates, warm):
        """Starts candidates and warms them up with `warm` connections of a kind; a few for those that need no more."""
        for candidate in candidates:
            player = self.play(candidate, self.proxy_core)
            if player and self.warmed(player, warm):
                self.players[candidate.name] = player

    def warmed(self, player, warm):
        for kind in player.candidate.kinds:
            try:
                count = warm if player.candidate.java else min(warm, 300)
                errors = new_connections(player.port(kind), kind, count, core=self.load_core)["errors"]
                if errors > 0:
                    say("%s, %s: %d of %d connections failed" % (player.name, kind, errors, count))
            except LoadError as error:
                say("%s, %s: left out: %s" % (player.name, kind, error))
                if player.session:
                    say(player.session.said())
                    player.session.end()
                return False
        if player.session:
            player.session.refresh()
        return True

    @contextmanager
    def alone(self, candidate):
        """One more player for the length of a `with`; None when it does not start."""
        player = self.play(candidate, self.proxy_core)
        try:
            yield player
        finally:
            if player and player.session:
                player.session.end()
                self.returned(player.ports)

    @contextmanager
    def crowded(self):
        """The receiver and the load generator on the proxies' core, for the length of a `with`: so connections have to wait."""
        core, self.load_core = self.load_core, self.proxy_core
        self.receiver.pin(self.proxy_core)
        try:
            yield
        finally:
            self.load_core = core
            self.receiver.pin(core)

    def pairs(self, kinds):
        """All that run, each with each of those kinds that it can route."""
        return [(player, kind) for player in self.players.values() for kind in kinds if kind in player.candidate.kinds]

    def end_players(self):
        for player in self.players.values():
            if player.session:
                player.session.end()
        self.players = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_players()
        self.receiver.end()
        shutil.rmtree(self.directory, ignore_errors=True)
