"""A receiver that takes part as far as it must, and never receives: never-reads.py PATH stream|datagram|acknowledged"""
import socket, struct, sys, time

path, kind = sys.argv[1:]
types = {"stream": socket.SOCK_STREAM, "datagram": socket.SOCK_DGRAM, "acknowledged": socket.SOCK_SEQPACKET}
unix = socket.socket(socket.AF_UNIX, types[kind])
unix.bind(path)
if kind != "datagram":
    unix.listen(16)
print("bound")
channels = []
while True:
    if kind == "datagram":
        time.sleep(3600)
    channels.append(unix.accept()[0])
    if kind == "acknowledged":
        channels[-1].send(struct.pack("<BBBBIQ", 0x01, 1, 16, 1, 0, 256))  # HELLO: it will claim, and grants 256
