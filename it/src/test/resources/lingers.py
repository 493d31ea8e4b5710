"""lingers.py SOCKET TYPE PORT HOST ROUNDS [stay]: a receiver that makes close(2) wait for whoever closes last.

Each round a client of its own asks for HOST and does not read. The receiver writes more than the client takes, sets SO_LINGER for
30 s and closes; only then does it acknowledge. By the stream it is as fast as it can. With stay it has its clients until it is ended.
"""
import os, socket, struct, sys, threading, time

path, kind, port, host, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
acknowledged = kind == "acknowledged"
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if acknowledged else socket.SOCK_STREAM)
server.bind(path)
os.chmod(path, 0o666)
server.listen(64)
deaf, channel = [], None


def linger(fd):
    client = socket.socket(fileno=fd)
    client.setblocking(False)
    client.recv(65536)
    try:
        while True:
            client.send(bytes(1 << 18))
    except BlockingIOError:
        pass
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
    if acknowledged:
        client.close()
    else:
        # The proxy may have been first: then it is this close that waits.
        threading.Thread(target=client.close, daemon=True).start()


for number in range(rounds):
    time.sleep(0.01)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())
    deaf.append(client)
    if len(deaf) > 10:
        deaf.pop(0).close()
    fds = []
    while not fds:
        if channel is None:
            channel = server.accept()[0]
            if acknowledged:
                channel.send(struct.pack("<BBBBIQ", 0x01, 1, 16, 0, 0, 256))
        data, fds, *_ = socket.recv_fds(channel, 16384, 253, socket.MSG_CMSG_CLOEXEC)
        if not data:
            print("the proxy has closed its channel in round", number, flush=True)
            channel = None
    for fd in fds:
        linger(fd)
    if acknowledged:
        settled = struct.unpack_from("<Q", data, 8)[0] + data[1]
        channel.send(struct.pack("<BBHIQQ", 0x02, 0, 0xFFFF, 0, settled, settled + 256))
print("done", flush=True)
while len(sys.argv) > 6:
    time.sleep(60)
os._exit(0)
