"""notified.py NAME MADE: a service manager's socket, NOTIFY_SOCKET; prints who says what. MADE is a file that it makes when it is bound."""
import os, socket, struct, sys

name, made = sys.argv[1:]
unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
unix.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
unix.bind("\0" + name[1:] if name[0] == "@" else name)
if name[0] != "@":
    os.chmod(name, 0o777)
os.close(os.open(made, os.O_CREAT | os.O_WRONLY))
os.chmod(made, 0o666)
while True:
    data, more, *_ = unix.recvmsg(4096, 64)
    print("pid %d uid %d: %s" % (*struct.unpack("iii", more[0][2])[:2], data.decode().replace("\n", " ")), flush=True)
