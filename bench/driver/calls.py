"""Counts system calls: with perf and the kernel's tracepoints where that is allowed, else with strace."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

TRACING = "/sys/kernel/tracing"
ALL = "raw_syscalls:sys_enter"
PREFIX = "syscalls:sys_enter_"

# By name, beside the total: what proxies call for a connection. Each takes perf a moment for each thread.
NAMES = (
    "accept4 recvfrom recvmsg sendmsg sendto close epoll_wait epoll_ctl socket connect setsockopt getsockopt getpeername "
    "getsockname fcntl ioctl read write writev shutdown futex clock_gettime").split()


def perf_works():
    """Whether perf may count system calls."""
    return bool(shutil.which("perf")) and os.access(TRACING + "/events/raw_syscalls", os.R_OK) and subprocess.run(
        ["perf", "stat", "-e", ALL, "true"], capture_output=True).returncode == 0


def available():
    """The tool that will be used, or None."""
    if perf_works():
        return "perf"
    return "strace" if shutil.which("strace") else None


class Calls:
    """Counts what processes call, all their threads, for the length of a `with`; by name if wanted."""

    def __init__(self, pids, by_name=False, tool=None):
        self.by_name = by_name
        self.pids = [str(pid) for pid in pids]
        self.tool = tool or available()
        self.total = 0
        self.calls = {}

    def __enter__(self):
        if self.tool == "perf":
            self.start_perf()
        elif self.tool == "strace":
            self.start_strace()
        return self

    def __exit__(self, *_):
        if self.tool == "perf":
            self.stop_perf()
        elif self.tool == "strace":
            self.stop_strace()

    def start_perf(self):
        names = [name for name in NAMES if self.by_name and os.path.isdir(TRACING + "/events/syscalls/sys_enter_" + name)]
        events = ",".join([ALL] + [PREFIX + name for name in names])
        self.output = tempfile.NamedTemporaryFile("r", prefix="bench-perf.")
        commands, self.control = os.pipe()
        self.answers, answer = os.pipe()
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", self.output.name, "-e", events, "-p", ",".join(self.pids),
             "-D", "-1", "--control", "fd:%d,%d" % (commands, answer)],
            pass_fds=(commands, answer), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answer)
        self.tell_perf("enable")

    def tell_perf(self, what):
        os.write(self.control, (what + "\n").encode())
        if not os.read(self.answers, 16):
            raise RuntimeError("perf has ended")

    def stop_perf(self):
        self.tell_perf("disable")
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        os.close(self.control)
        os.close(self.answers)
        for line in self.output:
            fields = line.split(",")
            if len(fields) > 2 and fields[0].isdigit():
                self.add(fields[2], int(fields[0]))
        self.output.close()

    def add(self, event, count):
        if event == ALL:
            self.total = count
        elif count:
            self.calls[event.replace(PREFIX, "")] = count

    def start_strace(self):
        self.output = tempfile.NamedTemporaryFile("r", prefix="bench-strace.")
        command = ["strace", "-f", "-c", "-U", "calls,name", "-o", self.output.name]
        for pid in self.pids:
            command += ["-p", pid]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in self.pids:
            if "attached" not in self.process.stderr.readline():
                raise RuntimeError("strace may not attach: run as root, or see ptrace_scope in ptrace(2)")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop_strace(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        for line in self.output:
            found = re.fullmatch(r"\s*(\d+)\s+(\w+)\s*", line)
            if found and found.group(2) != "total":
                self.calls[found.group(2)] = int(found.group(1))
        self.total = sum(self.calls.values())
        self.output.close()
