#!/usr/bin/env python3
"""Prints the figures below it/target/reliability, and writes those of a full or long run into docs/reliability.md."""
import json, os, re, sys

ORDER = ["downloads", "takeovers", "proxyKilled", "oneOfTwoKilled", "onlyOneKilled", "onlyOneRestarted", "frozen",
         "neverReads-stream", "neverReads-datagram", "neverReads-acknowledged", "lingers-persistent",
         "lingers-acknowledged", "descriptorLimit", "reloads", "soak"]
ABUSE = ["silent-one", "silent-many", "byte-one", "byte-many", "drip-one", "drip-many", "segments-one", "segments-many",
         "announced-one", "announced-many", "continuations-many", "hpack-many", "reset-connect", "reset-byte", "reset-half",
         "reset-whole", "reset-transit", "flood-one", "flood-many", "crowd-one"]
quick = sys.argv[1:] == ["quick"]
folder = "it/target/reliability/quick" if quick else "it/target/reliability"


def read(name):
    try:
        with open(os.path.join(folder, name + ".json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


DOCUMENT = "docs/reliability.md"


def between(text, mark):
    """What stands before, between and behind the marks of a table."""
    begin, end = "<!-- %s: begin -->\n" % mark, "<!-- %s: end -->" % mark
    head, rest = text.split(begin)
    kept, tail = rest.split(end, 1)
    return head + begin, kept, end + tail


def before(mark):
    """The rows that the document has, by scenario, and its dates: of what was not measured now."""
    with open(DOCUMENT) as file:
        kept = between(file.read(), mark)[1]
    rows = {name: row for row in kept.splitlines() for name in re.findall(r"^\| \*\*([^*]+)\*\*:", row)}
    measured = re.search(r"^Measured .*", kept, re.M)
    return rows, set(re.findall(r"\d{4}-\d\d-\d\d", measured.group() if measured else ""))


def ms(micros):
    return "%.1f" % (micros / 1000) if micros < 100_000 else "%d" % (micros / 1000)


def scenarios():
    lines = ["| scenario | connections | served | refused, reset at connect | lost with what was killed | lost otherwise "
             "| p50, p99, max ms | proxy's descriptors | |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    dates = set()
    rows, earlier = before("figures")
    for name in ORDER:
        r = read(name)
        if r is None or "connections" not in r:
            if not quick and name in rows:
                lines.append(rows[name])
                dates |= earlier
            continue
        dates.add(r["date"])
        note = "; ".join(r["more"]) + "".join("; **broken: %s**" % b for b in r["broken"])
        descriptors = "%d → %d" % (r["descriptors_before"], r["descriptors_after"]) if "descriptors_before" in r else ""
        lines.append("| **%s**: %s | %s | %s | %s | %s | %s | %s, %s, %s | %s | %s |" % (
            name, r["title"], *("{:,}".format(r[k]) for k in (
                "connections", "served", "refused_or_reset_at_connect", "lost_with_the_killed", "lost_otherwise")),
            *(ms(r[k]) for k in ("p50_us", "p99_us", "max_us")), descriptors, note))
    if not dates:
        return ""
    return "\n".join(lines) + "\n\nMeasured %s.\n" % ", ".join(sorted(dates))


def mib(kib):
    return "%d" % round(kib / 1024)


def abuse():
    lines = ["| attack | from | good clients served | p50, p99, max ms: quiet | attacked | p99, ratio | max ms when all hang up | pending, most "
             "| MiB resident: before, most, bound | normal again after | descriptors | log, bytes | |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    dates, loads = set(), []
    rows, earlier = before("abuse")
    for name in ABUSE:
        r = read("abuse-" + name)
        if r is None:
            if not quick and name in rows:
                lines.append(rows[name])
                dates |= earlier
            continue
        dates.add(r["date"])
        loads.append(r["load_centi"] / 100)
        note = "; ".join(r["more"]) + "".join("; **broken: %s**" % b for b in r["broken"])
        times = ["%s, %s, %s" % tuple(ms(r["%s_%s_us" % (when, what)]) for what in ("p50", "p99", "max"))
                 for when in ("quiet", "attacked")]
        ratio = r["attacked_p99_us"] / r["quiet_p99_us"] if r["quiet_p99_us"] else 0
        lines.append("| **%s**: %s | %s | %s of %s | %s | %s | %.1f | %s | %s | %s, %s, %s | %s ms | %d → %d | %s | %s |" % (
            name, r["title"], "1 address" if r["addresses"] == 1 else "%d addresses" % r["addresses"],
            "{:,}".format(r["served"]), "{:,}".format(r["connections"]), *times, ratio, ms(r["hang_up_max_us"]),
            "{:,}".format(r["pending_most"]),
            mib(r["resident_before_kib"]), mib(r["resident_most_kib"]), mib(r["resident_bound_kib"]),
            ms(r["recovered_us"]), r["descriptors_before"], r["descriptors_after"], "{:,}".format(r["log_bytes"]), note))
    if not loads:
        return ""
    return "\n".join(lines) + "\n\nMeasured %s; load average of the machine %.1f to %.1f.\n" % (
        ", ".join(sorted(dates)), min(loads), max(loads))


def peers():
    r = read("peers")
    if r is None:
        return ""
    names = r["proxies"]
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for row in r["rows"]:
        lines.append("| %s | %s |" % (row["title"], " | ".join(row["cells"])))
    absent = "Not installed there: %s. " % ", ".join(r["absent"]) if r["absent"] else ""
    return "\n".join(lines) + "\n\n%sMeasured %s.\n" % (absent, r["date"])


def put(text, mark, table):
    head, _, tail = between(text, mark)
    return head + table + tail


tables = {"figures": scenarios(), "abuse": abuse(), "peers": peers()}
print("\n".join(table for table in tables.values() if table))
if not quick:
    with open(DOCUMENT) as file:
        text = file.read()
    for mark, table in tables.items():
        if table:
            text = put(text, mark, table)
    with open(DOCUMENT, "w") as file:
        file.write(text)
