"""The load generator as functions (src/load.c)."""

import json
import select
import subprocess

from . import places
from .processes import pinned

PATIENCE_SECONDS = 90

# kind of traffic: arguments for the load generator
KINDS = {
    "http": ["-k", "http"],
    "tls": ["-k", "tls", "-s", "517"],
    "tls-2k": ["-k", "tls", "-s", "2048"],
}


class LoadError(Exception):
    """The load generator gave up."""


class Load:
    """One run. With a gate it waits, its connections open, until `release`."""

    def __init__(self, mode, port, kind, count, at_once=64, size=0, core=None):
        command = [places.program("load"), mode, str(port), places.NAME, *KINDS[kind],
                   "-n", str(count), "-c", str(at_once), "-b", str(size)]
        self.process = subprocess.Popen(
            pinned(core, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def line(self):
        if not select.select([self.process.stdout], [], [], PATIENCE_SECONDS)[0]:
            raise LoadError("the load generator is silent for %d s" % PATIENCE_SECONDS)
        line = self.process.stdout.readline()
        if not line:
            raise LoadError(self.process.stderr.read().strip() or "the load generator has ended")
        return json.loads(line)

    def release(self):
        """Opens the gate, and returns the result."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.line()


def new_connections(port, kind, count, at_once=64, core=None):
    """Connections one after the other, `at_once` at a time; the load generator's result."""
    with Load("new", port, kind, count, at_once, core=core) as load:
        return load.line()
