"""Our candidates, the reference in C and no proxy at all."""

from . import places
from .candidate import Candidate

REFERENCE = "C-one"
DIRECT = "direct"
NOT_CONFINED = ", not confined"

CONFIGURATION = """\
threads: {threads}
confinement: {confinement}
admin: "unix:{dir}/admin.sock"
listeners: [ { bind: "127.0.0.1:{port}", peek-timeout: 2m, max-pending: 65536 } ]
backends: { web: { handoff: "unix:{socket}", method: {method}{more} } }
routes: [ { host: {name}, backend: web } ]
"""

# name of the candidate: socket of the receiver, method, further keys of the backend
METHODS = {
    "persistent": ("{stream}", "persistent", ""),
    "batch": ("{stream}", "persistent", ", batch: 16"),
    "persistent, not trusted": ("{stream}", "persistent", ", trust: never"),
    "once": ("{stream}", "once", ""),
    "datagram": ("{datagram}", "datagram", ""),
    "acknowledged": ("{acknowledged}", "acknowledged", ""),
    "acknowledged, not trusted": ("{acknowledged}", "acknowledged", ", trust: never"),
}


def peekpass(what, program=places.PEEKPASS, threads=1, suffix="", options="", confinement="enforce"):
    """`peekpass run` with one of METHODS; options are for its JVM."""
    socket, method, more = METHODS[what]
    text = CONFIGURATION
    for name, value in (("threads", threads), ("confinement", confinement), ("socket", socket), ("method", method), ("more", more)):
        text = text.replace("{%s}" % name, str(value))
    environment = {"PEEKPASS_NO_BUILD": "1"}
    if options:
        environment["PEEKPASS_JAVA_OPTS"] = options
    return Candidate(
        name="peekpass " + what + suffix, command=[program, "run", "-c", "{dir}/peekpass.yaml"],
        files={"peekpass.yaml": text}, environment=environment, java=True, version=[program, "--version"])


def reference(name=REFERENCE, *batch):
    return Candidate(name=name, command=[places.program("reference"), "{port}", "{stream}", "{name}", *batch])


def baseline():
    """What every run has."""
    return [Candidate(name=DIRECT, command=None), reference(), reference("C-batch", "16")]


def methods(program):
    """`./peekpass run` by each method, and once as it was without confinement."""
    return [*(peekpass(what, program) for what in METHODS), peekpass("persistent", program, suffix=NOT_CONFINED, confinement="off")]
