"""What the project wants to reach, and what a run says about it."""

from dataclasses import dataclass

from .ours import REFERENCE
from .startup import ANSWERS

HAPROXY, SNI_ROUTER = "haproxy tcp", "sni-router"
PERSISTENT, ACKNOWLEDGED = "peekpass persistent", "peekpass acknowledged"

# What cannot be told from nothing: the threads of a JVM touch some pages and call the kernel whatever happens. And rounds
# differ by so much.
NOISE_BYTES, NOISE_CALLS, NO_WORSE = 100, 0.005, 1.05

# Of the work of two loops: below this one of them starves.
FAIR_SHARE = 0.25


@dataclass(frozen=True)
class Goal:
    """`value` is what was measured, rounded as it is shown."""

    what: str
    goal: str
    value: float
    shown: str
    met: bool


def at_most(what, value, limit, unit, digits=2):
    """A goal, or none when there is no value."""
    if value is None:
        return []
    shown = "%.*f" % (digits, value)
    limit_shown = ("%.*f" % (digits, limit)).rstrip("0").rstrip(".") if digits else "%d" % limit
    return [Goal(what, "≤ %s%s" % (limit_shown, unit), value, shown + unit, float(shown) <= round(limit, digits))]


def at_least(what, value, limit):
    return [] if value is None else [Goal(what, "≥ %.2f" % limit, value, "%.2f" % value, value >= limit)]


def median_of(found):
    return found.median if found else None


def over(first, second):
    return first / second if first is not None and second else None


def cpu(summary):
    for name, limit in ((PERSISTENT, 1.15), (ACKNOWLEDGED, 1.5)):
        for kind in summary.kinds():
            yield from at_most("CPU a connection, %s, %s" % (name, kind), median_of(summary.ratio(name, kind)), limit, " × C-one")
    for peer, limit in ((HAPROXY, 1 / 7), (SNI_ROUTER, 1 / 4)):
        ours, theirs = (median_of(summary.ratio(name, "tls")) for name in (PERSISTENT, peer))
        yield from at_most("CPU a connection, tls, of %s's" % peer, over(ours, theirs), limit, "")


def calls(summary):
    for kind in ("http", "tls"):
        yield from at_most("system calls a connection, %s, one by one" % kind, summary.calls(PERSISTENT, kind, 1), 5.0, "", 1)
        yield from at_most("the same, 64 at a time", summary.calls(PERSISTENT, kind, 64), 4.6, "", 1)
        yield from at_most("the same, 512 at a time on one core", summary.calls(PERSISTENT, kind, 512), 4.6, "", 1)


def after(summary):
    for kind in ("http", "tls"):
        yield from at_most("system calls a request after the hand-off, %s" % kind, summary.calls_after(PERSISTENT, kind), NOISE_CALLS, "", 3)
        yield from at_most("CPU a request after the hand-off, %s" % kind, median_of(summary.request(PERSISTENT, kind)), 0.02, " µs", 3)
        yield from at_most("CPU a gigabyte after the hand-off, %s" % kind, median_of(summary.bulk(PERSISTENT, kind)), 0.001, " s", 4)


def latency(summary):
    for kind in ("http", "tls"):
        ours, least, peer = (median_of(summary.added(name, kind, "p50")) for name in (PERSISTENT, REFERENCE, HAPROXY))
        yield from at_most("added to the first byte (p50), %s" % kind, over(ours, least), 1.1, " × C-one")
        yield from at_most("added to the first byte (p50), %s" % kind, over(ours, peer), 1.0, " × HAProxy")


def memory(summary):
    kib = summary.memory(PERSISTENT, "after")
    yield from at_most("memory (Pss) after many connections", kib / 1024 if kib else None, 48, " MiB", 1)
    idle, pending = summary.held(PERSISTENT, "idle"), summary.held(PERSISTENT, "pending")
    if idle:
        yield from at_most("descriptors of the proxy a passed connection", idle[2], 0, "", 0)
        yield from at_most("memory of the proxy a passed connection", max(0.0, idle[1]), NOISE_BYTES, " bytes", 0)
    if pending:
        yield from at_most("memory of the proxy a pending connection", pending[1], 2048, " bytes", 0)


def start(summary):
    for name, limit in (("./peekpass run", 300), ("./peekpass run, no AOT cache", 1000)):
        yield from at_most("start-up, %s%s" % (name, ANSWERS), median_of(summary.start(name + ANSWERS)), limit, " ms", 0)


def threads(summary):
    found = summary.threads()
    if 1 in found and 2 in found:
        (rate_of_one, cpu_of_one, _), (rate_of_two, cpu_of_two, share) = found[1], found[2]
        yield from at_most("CPU a connection, 2 loops over 1", over(cpu_of_two.median, cpu_of_one.median), NO_WORSE, " ×")
        yield from at_most("connections a second, 1 loop over 2", over(rate_of_one.median, rate_of_two.median), NO_WORSE, " ×")
        yield from at_least("CPU of the less busy of 2 loops, share", share.median, FAIR_SHARE)


def all_goals(summary):
    return [goal for part in (cpu, calls, after, latency, memory, start, threads) for goal in part(summary)]
