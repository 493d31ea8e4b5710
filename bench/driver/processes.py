"""Processes: started in a session of their own, and what the kernel counts for all processes of that session."""

import os
import signal
import subprocess
import time

END_SECONDS = 10


def pinned(core, command):
    """The command, bound to one core; as it is when core is None."""
    return command if core is None else ["taskset", "-c", str(core)] + command


class Session:
    """A command with all processes that it starts. The caller ends it."""

    def __init__(self, command, log, core=None, environment=None):
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                pinned(core, command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env=dict(os.environ, **(environment or {})))
        self.pids = [self.process.pid]

    def alive(self):
        return self.process.poll() is None

    def said(self, most=600):
        """The end of what it has printed."""
        with open(self.log, errors="replace") as log:
            return log.read()[-most:].strip()

    def refresh(self):
        """Finds its processes; to be called once it has started its workers."""
        self.pids = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                     if session_of(pid) == self.process.pid]

    def pin(self, core):
        """Binds it to another core; does nothing when core is None."""
        if core is not None:
            for _, task in self.tasks():
                os.sched_setaffinity(task, {core})

    def tasks(self):
        """All threads as (process, thread)."""
        for pid in self.pids:
            for task in listed("/proc/%d/task" % pid):
                yield pid, int(task)

    def cpu_ns(self):
        """CPU time so far, by the scheduler's own count."""
        return sum(cpu_of(pid, task) for pid, task in self.tasks())

    def cpu_by_thread_ns(self, prefix):
        """The same for each thread whose name begins so."""
        names = {}
        for pid, task in self.tasks():
            name = first_line("/proc/%d/task/%d/comm" % (pid, task)).strip()
            if name.startswith(prefix):
                names[name] = names.get(name, 0) + cpu_of(pid, task)
        return names

    def memory_kib(self):
        """Proportional set size: pages that it shares count in part."""
        total = 0
        for pid in self.pids:
            for line in lines("/proc/%d/smaps_rollup" % pid):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def descriptors(self):
        return sum(len(listed("/proc/%d/fd" % pid)) for pid in self.pids)

    def end(self):
        """SIGTERM for each of its processes, then SIGKILL."""
        self.refresh()
        signal_all(self.pids, signal.SIGTERM)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self.refresh()
        signal_all(self.pids, signal.SIGKILL)
        self.process.wait()


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def lines(path):
    """The lines of a file of /proc; none when its process has gone."""
    try:
        with open(path) as file:
            return file.readlines()
    except (FileNotFoundError, ProcessLookupError):
        return []


def first_line(path):
    found = lines(path)
    return found[0] if found else ""


def listed(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, ProcessLookupError):
        return []


def session_of(pid):
    stat = first_line("/proc/%d/stat" % pid)
    return int(stat[stat.rindex(")") + 2:].split()[3]) if stat else None


def cpu_of(pid, task):
    stat = first_line("/proc/%d/task/%d/schedstat" % (pid, task))
    return int(stat.split()[0]) if stat else 0


def listening(port):
    """Whether a socket listens on the port, without connecting to it."""
    return any(fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port
               for table in ("/proc/net/tcp", "/proc/net/tcp6")
               for fields in (line.split() for line in lines(table)[1:]))


def wait_listening(port, session, seconds=30, step=0.01):
    """Waits until it listens: True, or False when it has ended or the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and session.alive():
        if listening(port):
            return True
        time.sleep(step)
    return False
