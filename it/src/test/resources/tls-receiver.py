"""tls-receiver.py SOCKET CERTIFICATE KEY: a receiver (once, persistent) that greets by TLS, and counts handshakes."""
import os, socket, ssl, sys, threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])


def channel(unix):
    while True:
        data, fds, *_ = socket.recv_fds(unix, 1, 253, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return unix.close()
        for fd in fds:
            client = socket.socket(fileno=fd)
            client.setblocking(True)
            try:
                with context.wrap_socket(client, server_side=True) as over:
                    print("handshake", over.version(), flush=True)
            except OSError as e:
                print("failed", e, flush=True)


server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
server.listen(64)
while True:
    threading.Thread(target=channel, args=server.accept()[:1], daemon=True).start()
