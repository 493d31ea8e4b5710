"""What a run's records come to: medians, and ratios to the reference of the same chunk of the same round."""

from dataclasses import dataclass
from statistics import median

from .ours import DIRECT, REFERENCE


@dataclass(frozen=True)
class Spread:
    """The median of some values, with the least and the greatest."""

    median: float
    least: float
    most: float
    count: int
    values: tuple


def spread(values):
    """None without values."""
    values = tuple(values)
    return Spread(median(values), min(values), max(values), len(values), values) if values else None


def cpu_us(record):
    return record["proxy_ns"] / 1000 / record["requests"]


class Summary:
    """Reads a run's JSON. What was not measured is None."""

    def __init__(self, run):
        self.run = run
        self.records = run["records"]
        self.candidates = run["candidates"]

    def of(self, step, candidate=None, kind=None):
        return [record for record in self.records
                if record["step"] == step and candidate in (None, record["candidate"]) and kind in (None, record.get("kind"))
                and record.get("requests", 1) > 0]

    def kinds(self):
        return list(dict.fromkeys(record["kind"] for record in self.of("new")))

    def errors(self, candidate=None):
        """Connections and requests that failed, of all steps."""
        return sum(record.get("errors", 0) for record in self.records if candidate in (None, record["candidate"]))

    def cpu(self, candidate, kind):
        """Proxy CPU, µs a connection."""
        return spread(cpu_us(record) for record in self.of("new", candidate, kind))

    def ratio(self, candidate, kind):
        """Proxy CPU a connection, over the reference's just before."""
        base = {(record["round"], record["chunk"]): cpu_us(record) for record in self.of("new", REFERENCE, kind)}
        return spread(cpu_us(record) / base[record["round"], record["chunk"]] for record in self.of("new", candidate, kind)
                      if base.get((record["round"], record["chunk"])))

    def latency(self, candidate, kind, quantile):
        """To the first byte of the answer, one connection at a time, µs."""
        return spread(record[quantile + "_us"] for record in self.of("latency", candidate, kind))

    def added(self, candidate, kind, quantile):
        """The same, above that of the receiver without a proxy in the same round."""
        base = {record["round"]: record[quantile + "_us"] for record in self.of("latency", DIRECT, kind)}
        return spread(record[quantile + "_us"] - base[record["round"]] for record in self.of("latency", candidate, kind)
                      if record["round"] in base)

    def calls(self, candidate, kind, at_once):
        """System calls a connection."""
        found = [record for record in self.of("calls", candidate, kind) if record["at_once"] == at_once]
        return found[0]["total"] / found[0]["requests"] if found else None

    def calls_by_name(self, candidate, kind, at_once):
        found = [record for record in self.of("calls", candidate, kind) if record["at_once"] == at_once]
        return {name: count / found[0]["requests"] for name, count in found[0]["calls"].items()} if found else {}

    def calls_after(self, candidate, kind):
        """System calls a request on a connection that is kept."""
        found = self.of("calls-after", candidate, kind)
        return found[0]["total"] / found[0]["requests"] if found else None

    def request(self, candidate, kind):
        """Proxy CPU, µs a request on a connection that is kept."""
        return spread(cpu_us(record) for record in self.of("keep", candidate, kind))

    def bulk(self, candidate, kind):
        """Proxy CPU, seconds a gigabyte."""
        return spread(record["proxy_ns"] / record["bytes"] for record in self.of("bulk", candidate, kind) if record["bytes"])

    def memory(self, candidate, step):
        """KiB of "started" or "after"."""
        found = self.of(step, candidate)
        return found[0]["pss_kib"] if found else None

    def held(self, candidate, step):
        """Of "idle" or "pending": (connections, bytes for each, descriptors for each), or None."""
        found = self.of(step, candidate)
        if not found or not found[0]["connections"]:
            return None
        record = found[0]
        count, before, during = record["connections"], record["before"], record["during"]
        return (count, (during["pss_kib"] - before["pss_kib"]) * 1024 / count, (during["descriptors"] - before["descriptors"]) / count)

    def first(self, candidate, up_to):
        """Proxy CPU, µs a connection, of those that end at that number since the start."""
        return spread(cpu_us(record) for record in self.of("first", candidate) if record["up_to"] == up_to)

    def start(self, candidate):
        return spread(record["ms"] for record in self.of("start", candidate))

    def threads(self):
        """{threads: (connections a second, CPU µs a connection, least share of a loop in the loops' CPU)}"""
        found = {}
        for threads in sorted({record["threads"] for record in self.of("threads")}):
            records = [record for record in self.of("threads") if record["threads"] == threads]
            found[threads] = (spread(record["requests"] / record["seconds"] for record in records),
                              spread(cpu_us(record) for record in records),
                              spread(min(record["loops_ns"].values()) / max(1, sum(record["loops_ns"].values())) for record in records))
        return found
