"""The tables, in Markdown."""

from .goals import all_goals
from .ours import DIRECT, REFERENCE


# Connections at a time with which system calls are counted; the last with all on one core.
CROWDS = (1, 64, 512)


def table(head, rows):
    """Numbers to the right, the first column to the left."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def number(value, digits=1):
    """A value, or the sign for not measured."""
    if value is None:
        return "–"
    shown = "%.*f" % (digits, value)
    return "%.*f" % (digits, 0) if float(shown) == 0 else shown


def whole(value):
    return "–" if value is None else "{:,}".format(int(round(value)) or 0)


def median_of(found, digits=1):
    return number(found.median, digits) if found else "–"


def with_range(found, digits=2):
    return "%s (%s–%s)" % tuple(number(value, digits) for value in (found.median, found.least, found.most)) if found else "–"


def proxies(summary):
    return [name for name in summary.candidates if name != DIRECT]


def measured(names, found):
    """Those that have a value."""
    return [name for name in names if any(value is not None for value in found(name))]


def cpu(summary):
    kinds = summary.kinds()
    head = ["proxy CPU a connection"]
    for kind in kinds:
        head += [kind + ", µs", "× C-one (min–max)"]
    names = measured(proxies(summary), lambda name: [summary.cpu(name, kind) for kind in kinds])
    rows = []
    for name in names:
        row = [name]
        for kind in kinds:
            ratio = summary.ratio(name, kind)
            row += [median_of(summary.cpu(name, kind)), "1" if name == REFERENCE else with_range(ratio)]
        rows.append(row)
    return table(head, rows)


def top_calls(by_name):
    return ", ".join("%s %.2f" % (name, count) for name, count in sorted(by_name.items(), key=lambda item: -item[1]) if count >= 0.02)


def calls(summary):
    names = measured(proxies(summary), lambda name: [summary.calls(name, kind, many) for kind in ("http", "tls") for many in CROWDS])
    rows = []
    for name in names:
        kind = "tls" if summary.calls(name, "tls", 64) is not None else "http"
        rows.append([name] + [number(summary.calls(name, each, many), 2) for each in ("http", "tls") for many in CROWDS]
                    + [top_calls(summary.calls_by_name(name, kind, 64))])
    crowds = ["64 at a time", "512 on one core"]
    return table(["system calls a connection", "http, one by one", *crowds, "tls, one by one", *crowds, "of these, 64 at a time"], rows)


def after(summary):
    names = measured(proxies(summary), lambda name: [summary.request(name, kind) for kind in ("http", "tls")])
    rows = []
    for name in names:
        kind = "tls" if summary.request(name, "tls") else "http"
        rows.append([name, kind, median_of(summary.request(name, kind), 3), number(summary.calls_after(name, kind), 4), median_of(summary.bulk(name, kind), 4)])
    return table(["after the hand-off", "opened by", "CPU a request, µs", "system calls a request", "CPU a gigabyte, s"], rows)


def latency(summary):
    rows = []
    for name in measured(summary.candidates, lambda name: [summary.latency(name, kind, "p50") for kind in ("http", "tls")]):
        row = [name]
        for kind in ("http", "tls"):
            row += [median_of(summary.latency(name, kind, "p50")), "" if name == DIRECT else median_of(summary.added(name, kind, "p50")),
                    median_of(summary.latency(name, kind, "p99"))]
        rows.append(row)
    return table(["first byte, one at a time, µs", "http, p50", "added", "p99", "tls, p50", "added", "p99"], rows)


def memory(summary):
    rows = []
    for name in measured(proxies(summary), lambda name: [summary.memory(name, "started")]):
        row = [name] + [number(kib / 1024 if kib is not None else None) for kib in (summary.memory(name, "started"), summary.memory(name, "after"))]
        for step in ("idle", "pending"):
            held = summary.held(name, step)
            row += [whole(held[0]), whole(held[1]), number(held[2], 2)] if held else ["–"] * 3
        rows.append(row)
    return table(["memory of the proxy", "Pss at the start, MiB", "after the load", "idle connections", "bytes each", "descriptors each",
                  "pending", "bytes each", "descriptors each"], rows)


def first(summary):
    names = list(dict.fromkeys(record["candidate"] for record in summary.of("first")))
    ends = sorted({record["up_to"] for record in summary.of("first")})
    head = ["CPU a connection, µs (min–max)"] + ["%s to %s" % (whole(after + 1), whole(end)) for after, end in zip([0] + ends, ends)]
    return table(head, [[name] + [with_range(summary.first(name, end), 1) for end in ends] for name in names])


def start(summary):
    names = list(dict.fromkeys(record["candidate"] for record in summary.of("start")))
    rows = [[name, with_range(summary.start(name), 0)] for name in sorted(names, key=lambda name: summary.start(name).median)]
    return table(["exec to listening, or to the first answer", "ms (min–max)"], rows)


def threads(summary):
    rows = [[str(count), whole(rate.median), with_range(cpu_us, 1), with_range(share, 2)]
            for count, (rate, cpu_us, share) in summary.threads().items()]
    return table(["loops", "connections a second", "CPU a connection, µs (min–max)", "share of the least busy loop (min–max)"], rows)


def goals(summary):
    return table(["goal", "at most", "measured", ""], [[goal.what, goal.goal, goal.shown, "met" if goal.met else "**not met**"] for goal in all_goals(summary)])


# step that a table needs: heading, table
PARTS = (
    (None, "Goals", goals),
    ("new", "New connections", cpu),
    ("calls", "System calls", calls),
    ("keep", "After the hand-off", after),
    ("latency", "Latency", latency),
    ("started", "Memory and descriptors", memory),
    ("first", "The first connections", first),
    ("start", "Start-up", start),
    ("threads", "Several loops", threads),
)


def heading(run):
    machine, options = run["machine"], run["options"]
    versions = ", ".join("%s: %s" % item for item in sorted(run["versions"].items()) if item[1])
    return (
        "Run of %s (`%s`) on %s, %d cores%s, %s MiB, Linux %s; a getppid(2) from Python takes %.0f ns; load average at the start %.2f. "
        "%d rounds of %s connections.\n\n%s\n" % (
            run["date"], run["command"], machine["processor"], machine["cpus"], " of a virtual machine" if machine["virtual"] else "",
            whole(machine["memory_mib"]), machine["kernel"], machine["system_call_ns"], machine["load_before"], options["rounds"],
            whole(options["connections"]), versions))


def parts(summary):
    """(heading, table) of what was measured."""
    return [(title, make(summary)) for step, title, make in PARTS if summary.of(step) or step is None and all_goals(summary)]


def report(summary):
    text = heading(summary.run)
    if summary.run["missing"]:
        text += "\nLeft out: " + "; ".join("%s (%s)" % item for item in summary.run["missing"].items()) + ".\n"
    if summary.errors():
        text += "\n%d connections or requests failed: %s.\n" % (summary.errors(), ", ".join(
            "%s %d" % (name, summary.errors(name)) for name in summary.candidates if summary.errors(name)))
    return text + "".join("\n### %s\n\n%s" % part for part in parts(summary))
