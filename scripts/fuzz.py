"""Runs the fuzz targets: what scripts/fuzz and ./test --fuzz do once everything is built. See there."""
import argparse
import fcntl
import glob
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as tree
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUZZ = os.path.join(ROOT, "fuzz")
TARGETS_FILE = os.path.join(FUZZ, "src/main/resources/dev/peekpass/fuzz/targets.tsv")
CORPUS = os.path.join(FUZZ, "src/test/resources/corpus")
FINDINGS = os.path.join(FUZZ, "src/test/resources/findings")
DOCS = os.path.join(ROOT, "docs/fuzzing.md")
WIRE = os.path.join(ROOT, "wire/src/test/resources")
PROXY = os.path.join(ROOT, "proxy/src/test/resources")
PROGRESS_SECONDS = 30
CHUNK_SECONDS = 180
FOUND_SOMETHING = 77  # libFuzzer's exit code for a finding

# Captured flights and files that exist anyway: target -> [(pattern, what is put before each)].
SEEDS = {
    "ClientHello": [(WIRE + "/corpus/*.bin", b"")],
    "HelloOracle": [(WIRE + "/corpus/*.bin", b"")],
    "Http1Head": [(WIRE + "/corpus-http/*.bin", b"")],
    "Http1Oracle": [(WIRE + "/corpus-http/*.bin", b"")],
    "Http2Head": [(WIRE + "/corpus-http/*.bin", b"\0")],
    "Http2Oracle": [(WIRE + "/corpus-http/*.bin", b"\0")],
    "FirstFlight": [(WIRE + "/corpus/*.bin", b""), (WIRE + "/corpus-http/*.bin", b"")],
    "LinearWork": [(WIRE + "/corpus/*.bin", b"\0"), (WIRE + "/corpus-http/*.bin", b"\1"),
                   (WIRE + "/corpus-http/*.bin", b"\2")],
    "Configuration": [(PROXY + "/dev/peekpass/proxy/config/*.yaml", b"")],
}


def request(*fields):
    """The first bytes of an HTTP/2 connection behind the client preface: SETTINGS, HEADERS."""
    block = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)
    return bytes([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, len(block), 1, 4, 0, 0, 0, 1]) + block


def made():
    """Inputs that were thought of, so that the fuzzer need not find long words by itself."""
    get = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/")]
    requests = [
        request(*get, (b":authority", b"a.example"), (b"host", b"A.example:443")),
        request(*get, (b":authority", b"a:1"), (b"host", b"a:2")),
        request(*get, (b":authority", b""), (b"host", b"b")),
        request(*get, (b"host", b"a"), (b"host", b"a")),
        request((b":method", b"CONNECT"), (b":authority", b"a:443")),
        request((b":method", b"CONNECT"), (b":authority", b"a"), (b":path", b"/")),
        request((b":method", b"GET"), (b":scheme", b"http"), (b":path", b""), (b":protocol", b"x")),
    ]
    tlvs = b"\x01\0\x02h2\x03\0\x04\0\0\0\0"
    headers = [
        b"\1TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", b"\1UNKNOWN ffff::1 1\r\nGET",
        b"\1TCP6 2001:db8::1 ::ffff:192.0.2.1 65535 0\r\n",
        b"\1TCP6 1:2:3:4:5:6:7:8 :: 1 2\r\n", b"\1TCP6 1:2:3:4:5:6:1.2.3.4 1::8 1 2\r\n",
        b"\2\x20\0\0\0GET", b"\2\x21\0\0\0GET",
        b"\2\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\7\xdc\4\1\xbbGET",
        b"\2\x21\x11\0" + bytes([12 + len(tlvs)]) + bytes(12) + tlvs,
        b"\2\x21\x21\0\x24" + bytes(range(36)), b"\2\x21\x31\0\xd8" + (b"/run/a" + bytes(102)) * 2,
        b"\2\x21\x32\0\xd8" + (b"\0abstract" + bytes(99)) * 2,
    ]
    text = b"PROXY "
    return {
        "Http2Head": [b"\1" + one for one in requests],
        "Http2Oracle": [b"\1" + one for one in requests],
        "ProxyHeader": headers,
        "LinearWork": [b"\4" + text + one[1:] for one in headers if one[:1] == b"\1"]
        + [b"\2PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + one for one in requests],
        "Admin": [b"status\n", b"reload\n", b"drain shop\n", b"undrain \"\\\xc3\xbc\n", b"takeover 2\n"],
        "Takeover": [b"socket [::]:443\nadmin /run/a.sock\ndrained shop\nend\n",
                     b"unwanted 3\nready admin\naccepting\n", b"ready\n", b"unwanted 0\nunwanted 000001\n",
                     b"refused it is root, and the running proxy is not\n",
                     b"refused " + b"\xc3\xa4" * 391 + b"\xf0\x9f\x98\x80\n",
                     b"error another takeover is under way: \x1b[2J\xc2\x9b\n",
                     b'{"ok":false,"error":"\\"user\\" is not let in"}\n',
                     b"error this proxy knows version 1 of the takeover\n"],
        "Offer": [bytes([0x11, 1, 1, 0, 64, 0, 0, 0]) + bytes(8)],
    }


class Target:
    def __init__(self, line):
        self.name, self.main, self.kind, self.instrument, longest, self.promises, self.what = line.split("\t")
        self.longest = int(longest)


def read_targets():
    with open(TARGETS_FILE) as file:
        lines = [line.rstrip("\n") for line in file]
    return [Target(line) for line in lines if line and not line.startswith("#")]


class State:
    """How often each target was executed, on which commits; outside git, shared by invocations.

    What a target demands changes now and then. Its number in targets.tsv is raised then, and executions
    before that are not counted among those that were held to all that is demanded now."""

    def __init__(self, path):
        self.path = path

    def read(self):
        try:
            with open(self.path) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def held(self, target):
        """How often it was executed with all that it demands now."""
        one = self.read().get(target.name, {})
        return one.get("promises", {"1": one.get("executions", 0)}).get(target.promises, 0)

    def seconds_for(self, target, executions):
        """How long that may take, as long as it took before."""
        one = self.read().get(target.name, {})
        return executions * one.get("seconds", 0) / max(1, one.get("executions", 0))

    def add(self, target, commit, run):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.read()
            one = state.setdefault(
                target.name, {"executions": 0, "seconds": 0, "runs": 0, "findings": 0, "commits": {}})
            one.setdefault("promises", {"1": one["executions"]} if one["executions"] else {})
            one["promises"][target.promises] = one["promises"].get(target.promises, 0) + run.executions
            one["executions"] += run.executions
            one["seconds"] = round(one["seconds"] + run.seconds, 1)
            one["runs"] += 1
            one["findings"] += 1 if run.finding else 0
            one["commits"][commit] = one["commits"].get(commit, 0) + run.executions
            if run.edges:
                one["edges"] = run.edges
            with open(self.path + ".new", "w") as file:
                json.dump(state, file, indent=1, sort_keys=True)
            os.replace(self.path + ".new", self.path)


class Run:
    """One run of Jazzer on one target."""

    def __init__(self, options, target, arguments, trace):
        self.target = target
        self.executions = 0
        self.edges = 0
        self.seconds = 0.0
        self.finding = None
        self.problem = None
        self.log = os.path.join(options.work, target.name, "log")
        self.artifacts = os.path.join(options.work, target.name, "artifacts") + "/"
        os.makedirs(self.artifacts, exist_ok=True)
        self.before = set(os.listdir(self.artifacts))
        command = java(options) + [
            "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:+EnableDynamicAgentLoading",
            "-cp", os.path.join(options.lib, "*"), "com.code_intelligence.jazzer.Jazzer",
            "--target_class=" + target.main,
            "--instrumentation_includes=" + target.instrument,
            "--disabled_hooks=" + sanitizers(options.lib),
            "--trace=" + trace, "--reproducer_path=" + self.artifacts,
            "-artifact_prefix=" + self.artifacts, "-rss_limit_mb=0", "-timeout=20",
            "-print_final_stats=1"] + arguments
        self.started = time.monotonic()
        self.out = open(self.log, "w")
        self.process = subprocess.Popen(
            command, stdout=self.out, stderr=subprocess.STDOUT, cwd=self.artifacts)

    def look(self):
        """Reads how far it is."""
        with open(self.log, errors="replace") as file:
            text = file.read()
        for match in re.finditer(r"^#(\d+)\s.*?cov: (\d+)", text, re.M):
            self.executions, self.edges = int(match[1]), int(match[2])
        for match in re.finditer(r"stat::number_of_executed_units:\s*(\d+)", text):
            self.executions = int(match[1])
        return text

    def end(self):
        code = self.process.wait()
        self.out.close()
        self.seconds = time.monotonic() - self.started
        text = self.look()
        found = sorted(set(os.listdir(self.artifacts)) - self.before)
        found = [name for name in found if re.match("(crash|timeout|oom|slow-unit)-", name)]
        if code == 0:
            return
        crash = [name for name in found if not name.startswith("slow-unit-")]
        if crash:
            self.finding = os.path.join(self.artifacts, crash[0])
            self.problem = next(
                (line for line in text.splitlines() if line.startswith("== Java Exception")), "")
        elif code > 0 and code not in (130, 143):
            self.problem = "the fuzzer ended with %d: %s" % (code, self.log)


def sanitizers(lib):
    """All of Jazzer's, by name: what is tried here opens nothing and runs nothing, and they cost."""
    names = set()
    for path in glob.glob(os.path.join(lib, "jazzer-[0-9]*.jar")):
        with zipfile.ZipFile(path) as jar:
            inner = jar.read("com/code_intelligence/jazzer/runtime/jazzer_bootstrap.jar")
        for name in zipfile.ZipFile(io.BytesIO(inner)).namelist():
            if re.fullmatch(r"com/code_intelligence/jazzer/sanitizers/\w+\.class", name):
                names.add(name[:-len(".class")].replace("/", "."))
    return ":".join(sorted(names))


def java(options):
    home = os.environ.get("JAVA_HOME")
    command = [os.path.join(home, "bin/java") if home else "java",
               "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    return (["nice", "-n", "19"] if options.nice else []) + command


def commit():
    if os.environ.get("PEEKPASS_COMMIT"):
        return os.environ["PEEKPASS_COMMIT"]
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
    head = git("rev-parse", "--short=10", "HEAD")
    if head.returncode != 0:
        return "unknown"
    changed = git("status", "--porcelain", "--", "*/src/main").stdout.strip()
    return head.stdout.strip() + ("+changes" if changed else "")


def sha(data):
    return hashlib.sha1(data).hexdigest()


def put(directory, data):
    path = os.path.join(directory, sha(data))
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(data)


def seed(options, target):
    """The live corpus: what was found before, with all that is committed."""
    live = os.path.join(options.work, target.name, "corpus")
    os.makedirs(live, exist_ok=True)
    committed = os.path.join(CORPUS, target.name + ".zip")
    if os.path.exists(committed):
        with zipfile.ZipFile(committed) as pack:
            for name in pack.namelist():
                put(live, pack.read(name))
    for path in glob.glob(os.path.join(FINDINGS, target.name, "*")):
        with open(path, "rb") as file:
            put(live, file.read())
    for data in made().get(target.name, []):
        put(live, data)
    for pattern, before in SEEDS.get(target.name, []):
        for path in sorted(glob.glob(pattern)):
            with open(path, "rb") as file:
                put(live, (before + file.read())[:target.longest])
    return live


def traces(number, target):
    """Most runs only follow branches, which is several times faster; each fourth also comparisons."""
    if number % 4 == 0 or target.kind == "oracle":
        return "cov:cmp", target.longest
    return "cov", min(target.longest, 512) if number % 2 else target.longest


class Session:
    """Runs targets, some at a time."""

    def __init__(self, options):
        self.options = options
        self.state = State(options.state)
        self.commit = commit()
        self.running = {}
        self.findings = []
        self.problems = []
        self.lock = threading.Lock()
        self.stopping = False

    def all(self, targets, budget):
        """budget(target, done) gives what is left: {"seconds": s, "runs": n}, or None."""
        waiting = list(targets)
        threads = [threading.Thread(target=self.work, args=(waiting, budget))
                   for _ in range(min(self.options.jobs, len(targets)))]
        for thread in threads:
            thread.start()
        last = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.5)
            if time.monotonic() - last >= PROGRESS_SECONDS:
                last = time.monotonic()
                self.progress()
        return 1 if self.findings or self.problems else 0

    def work(self, waiting, budget):
        while not self.stopping:
            with self.lock:
                if not waiting:
                    return
                target = waiting.pop(0)
            try:
                self.one(target, budget)
            except Exception as e:  # so that the other targets go on, and it is not overlooked
                with self.lock:
                    self.problems.append("%s: %r" % (target.name, e))

    def one(self, target, budget):
        live = seed(self.options, target)
        done = {"seconds": 0.0, "runs": 0}
        number = self.state.read().get(target.name, {}).get("runs", 0)
        while not self.stopping:
            left = budget(target, done)
            if left is None:
                break
            trace, longest = traces(number, target)
            arguments = ["-max_len=%d" % longest]
            arguments += ["-max_total_time=%d" % max(1, round(left["seconds"]))]
            if left.get("runs"):
                arguments += ["-runs=%d" % left["runs"]]
            run = Run(self.options, target, arguments + [live], trace)
            with self.lock:
                self.running[target.name] = run
            run.end()
            with self.lock:
                del self.running[target.name]
            self.state.add(target, self.commit, run)
            number += 1
            done["seconds"] += run.seconds
            done["runs"] += run.executions
            print("fuzz: %s: %s executions in %.0f s, %d edges, %s; %s held to all promises" % (
                target.name, number_text(run.executions), run.seconds, run.edges, trace,
                number_text(self.state.held(target))), flush=True)
            if run.finding:
                self.keep(target, run)
                break
            if run.problem:
                with self.lock:
                    self.problems.append("%s: %s" % (target.name, run.problem))
                break

    def keep(self, target, run):
        with open(run.finding, "rb") as file:
            data = file.read()
        kept = os.path.join(self.options.work, target.name, "findings")
        os.makedirs(kept, exist_ok=True)
        put(kept, data)
        path = os.path.join(kept, sha(data))
        with self.lock:
            self.findings.append((target.name, path))
        print("fuzz: FOUND by %s: %s\nfuzz:   %s\nfuzz:   reproduce it: scripts/fuzz --reproduce %s %s" % (
            target.name, run.problem, path, target.name, path), flush=True)

    def progress(self):
        with self.lock:
            running = list(self.running.values())
        for run in running:
            run.look()
            seconds = time.monotonic() - run.started
            print("fuzz: %s … %s executions, %s a second, %d edges" % (
                run.target.name, number_text(run.executions),
                number_text(int(run.executions / seconds)), run.edges), flush=True)

    def stop(self, *_):
        self.stopping = True
        for run in list(self.running.values()):
            run.process.send_signal(signal.SIGINT)


def number_text(number):
    return "{:,}".format(number)


def merge(options, targets):
    """Writes the smallest corpus that covers what the live one covers into the repository."""
    for target in targets:
        live = seed(options, target)
        merged = os.path.join(options.work, target.name, "merged")
        shutil.rmtree(merged, ignore_errors=True)
        os.makedirs(merged)
        run = Run(options, target, ["-merge=1", "-max_len=%d" % target.longest, merged, live], "cov")
        run.end()
        if run.problem or run.finding:
            print("fuzz: %s: %s" % (target.name, run.problem or run.finding), file=sys.stderr)
            return 1
        count, size = pack(merged, os.path.join(CORPUS, target.name + ".zip"))
        print("fuzz: %s: %d inputs, %s bytes packed" % (target.name, count, number_text(size)), flush=True)
    return 0


def pack(directory, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    names = sorted(os.listdir(directory))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                data = file.read()
            # No time of day: the same inputs give the same file.
            entry = zipfile.ZipInfo(sha(data), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, data)
    return len(names), os.path.getsize(path)


def table(options):
    """The figures, as they stand in docs/fuzzing.md."""
    state = State(options.state).read()
    lines = ["| target | executions | of them held to all | a second | edges | inputs committed | findings |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    commits = set()
    for target in read_targets():
        one = state.get(target.name, {"executions": 0, "seconds": 0})
        commits |= set(one.get("commits", {}))
        committed = os.path.join(CORPUS, target.name + ".zip")
        inputs = len(zipfile.ZipFile(committed).namelist()) if os.path.exists(committed) else 0
        named = len(glob.glob(os.path.join(FINDINGS, target.name, "*")))
        rate = int(one["executions"] / one["seconds"]) if one["seconds"] else 0
        lines.append("| `%s` | %s | %s | %s | %d | %d | %d |" % (
            target.name, number_text(one["executions"]),
            number_text(State(options.state).held(target)), number_text(rate), one.get("edges", 0),
            inputs, named))
    lines += ["", "Commits: %s." % (", ".join(sorted(commits)) or "none yet")]
    return "\n".join(lines)


def coverage(options):
    """Which branches of `wire` the committed inputs reach, which its own tests, and which neither."""
    jars = os.path.join(FUZZ, "target/jacoco")
    agent, cli = (os.path.join(jars, "org.jacoco.%s.jar" % name) for name in ("agent-runtime", "cli-nodeps"))
    for path in (agent, cli):
        if not os.path.exists(path):
            sys.exit("fuzz: %s is missing: build with scripts/fuzz" % path)
    data = os.path.join(options.work, "coverage")
    shutil.rmtree(data, ignore_errors=True)
    os.makedirs(data)
    files = {name: os.path.join(data, name + ".exec") for name in ("inputs", "tests")}
    attach = "-javaagent:%s=destfile=%%s,includes=dev.peekpass.wire.*,exclclassloader=dev.peekpass.fuzz.StepCounter" % agent
    subprocess.run(
        java(options) + [attach % files["inputs"], "-cp", os.path.join(options.lib, "*"),
                         "dev.peekpass.fuzz.Replay", "--all", CORPUS], check=True, cwd=FUZZ)
    subprocess.run(
        ["mvn", "-B", "-ntp", "-q", "-pl", "wire", "-Dspotless.check.skip=true",
         "-Dtest.jvm.args=-XX:+UseSerialGC " + attach % files["tests"], "test"], check=True, cwd=ROOT)
    reports = {}
    for name, used in (("inputs", ["inputs"]), ("tests", ["tests"]), ("both", ["inputs", "tests"])):
        xml = os.path.join(data, name + ".xml")
        subprocess.run(
            java(options) + ["-jar", cli, "report", *[files[one] for one in used], "--classfiles",
                             os.path.join(ROOT, "wire/target/classes"), "--xml", xml],
            check=True, stdout=subprocess.DEVNULL)
        reports[name] = branches(xml)
    lines = ["| reached by | branches of `wire` | of | |", "| --- | ---: | ---: | ---: |"]
    words = {"inputs": "the committed inputs", "tests": "the tests of `wire`", "both": "both"}
    for name, report in reports.items():
        covered = sum(one[0] for one in report.values())
        total = covered + sum(one[1] for one in report.values())
        lines.append("| %s | %s | %s | %.1f %% |" % (
            words[name], number_text(covered), number_text(total), 100 * covered / total))
    lines += ["", "Not reached by the inputs, class by class, the lines in brackets:", ""]
    for source, (_, missed, where) in sorted(reports["inputs"].items()):
        if missed:
            left = reports["both"][source][1]
            lines.append("- `%s`: %d (%s); %s" % (
                source.removesuffix(".java"), missed, ", ".join(map(str, where)),
                "the tests reach all of them" if left == 0 else "%d by no test either (%s)" % (
                    left, ", ".join(map(str, reports["both"][source][2])))))
    write_section("coverage", "\n".join(lines))
    print("\n".join(lines))
    return 0


def branches(xml):
    """By source file: branches reached, not reached, and the lines of the latter."""
    result = {}
    with open(xml) as file:
        # The document type names a file that is not there.
        root = tree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", file.read()))
    for source in root.iter("sourcefile"):
        counter = next((c for c in source.iter("counter") if c.get("type") == "BRANCH"), None)
        if counter is not None:
            where = [int(line.get("nr")) for line in source.iter("line") if int(line.get("mb")) > 0]
            result[source.get("name")] = (int(counter.get("covered")), int(counter.get("missed")), where)
    return result


def write_section(name, text):
    begin, end = "<!-- %s, written by scripts/fuzz -->" % name, "<!-- end of %s -->" % name
    with open(DOCS) as file:
        document = file.read()
    head, rest = document.split(begin, 1)
    with open(DOCS, "w") as file:
        file.write(head + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1])


def main():
    parser = argparse.ArgumentParser(prog="scripts/fuzz", add_help=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--until", type=int)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--nice", action="store_true")
    parser.add_argument("--lib", default=os.path.join(FUZZ, "target/lib"))
    parser.add_argument("--work", default=os.path.join(FUZZ, "target/fuzzing"))
    parser.add_argument("--state")
    options = parser.parse_args()
    words = list(options.words)
    timed = not (options.runs or options.until or options.merge or options.docs or options.coverage)
    try:
        options.minutes = float(words.pop(0)) if timed else None
    except (IndexError, ValueError):
        sys.exit("fuzz: say how many minutes; see scripts/fuzz --help")
    options.targets = words
    options.state = options.state or os.path.join(options.work, "executions.json")
    known = read_targets()
    names = [target.name for target in known]
    for name in options.targets:
        if name not in names:
            sys.exit("fuzz: no target %s; there are %s" % (name, ", ".join(names)))
    targets = [t for t in known if not options.targets or t.name in options.targets]
    if options.docs:
        write_section("figures", table(options))
        return 0
    if options.coverage:
        return coverage(options)
    if options.merge:
        return merge(options, targets)
    session = Session(options)
    signal.signal(signal.SIGINT, session.stop)
    signal.signal(signal.SIGTERM, session.stop)
    if options.until:
        # The quickest first, so that whoever stops it has most of them.
        targets.sort(key=lambda target: session.state.seconds_for(
            target, options.until - session.state.held(target)))
        def budget(target, done):
            left = options.until - session.state.held(target)
            return {"seconds": CHUNK_SECONDS, "runs": left} if left > 0 else None
    elif options.runs:
        def budget(target, done):
            left = options.runs - done["runs"]
            return {"seconds": CHUNK_SECONDS, "runs": left} if left > 0 else None
    else:
        share = options.minutes * 60 * min(options.jobs, len(targets)) / len(targets)
        def budget(target, done):
            left = share - done["seconds"]
            return {"seconds": min(left, CHUNK_SECONDS)} if left >= 1 else None
    status = session.all(targets, budget)
    for problem in session.problems:
        print("fuzz: FAILED " + problem, file=sys.stderr)
    print("fuzz: %d findings" % len(session.findings))
    return status


if __name__ == "__main__":
    sys.exit(main())
