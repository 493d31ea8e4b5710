"""without-sigtimedwait.py COMMAND...: runs it where rt_sigtimedwait(2) fails with ENOSYS."""
import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
ERRNO, ALLOW, ENOSYS = 0x50000, 0x7FFF0000, 38
call = {"x86_64": 128, "aarch64": 137}[platform.machine()]


def step(code, jt, jf, k):
    return struct.pack("HBBI", code, jt, jf, k)


program = (
    step(0x20, 0, 0, 0)  # the call's number
    + step(0x15, 0, 1, call)
    + step(0x06, 0, 0, ERRNO | ENOSYS)
    + step(0x06, 0, 0, ALLOW)
)
text = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0)):
    if libc.prctl(*arguments) != 0:
        sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
