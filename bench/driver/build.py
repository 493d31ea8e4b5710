"""Builds and installs what is measured."""

import os
import shutil
import subprocess
import sys

from . import places
from .peers import CARGO_INSTALL
from .stage import say

# Beside the peers: what counts system calls.
TOOLS = {"perf": "linux-perf", "strace": "strace"}


def programs():
    """The C programs; ends the run when they cannot be built."""
    for tool, package in (("cc", "gcc"), ("make", "make"), ("taskset", "util-linux")):
        if not shutil.which(tool):
            sys.exit("bench: %s is needed: apt-get install %s" % (tool, package))
    done = subprocess.run(["make", "-C", places.BENCH], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit("bench: the C programs cannot be built:\n" + done.stdout)


def peekpass(program):
    """Builds it if need be: the candidates are started without asking whether anything has changed."""
    if not os.environ.get("PEEKPASS_NO_BUILD") and subprocess.run([program, "--version"], stdout=subprocess.DEVNULL).returncode:
        sys.exit("bench: %s cannot be built" % program)


def apt_get(packages):
    return ["apt-get", "install", "-y", "--no-install-recommends", *packages]


def packages_of(peers):
    """What Debian calls the packages of these peers, and of the tools that are missing."""
    found = {package for peer in peers for package in peer.package.split()}
    return sorted(found | {package for tool, package in TOOLS.items() if not shutil.which(tool)})


def say_missing(missing):
    """Names what is not there and how to get it; the run goes on."""
    packages = packages_of(missing)
    if packages:
        say("left out: %s; to have all: %s, or bench/run --install as root" % (
            ", ".join(peer.name for peer in missing) or "nothing", " ".join(apt_get(packages))))
    for peer in missing:
        if not peer.package:
            say("left out: %s; where cargo and protoc are: %s" % (peer.name, " ".join(CARGO_INSTALL)))


def peers(all_of_them):
    """Installs what is missing; what cannot be installed is left out of the run."""
    missing = [peer for peer in all_of_them if peer.missing()]
    packages = packages_of(missing)
    if any(not peer.package for peer in missing) and shutil.which("cargo") and not shutil.which("protoc"):
        packages.append("protobuf-compiler")
    if packages and shutil.which("apt-get"):
        say("installing " + " ".join(packages))
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (["apt-get", "update", "-q"], apt_get(packages)):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
    if any(not peer.package for peer in missing) and shutil.which("cargo"):
        say("building sni-router with cargo; some minutes")
        subprocess.run(CARGO_INSTALL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
