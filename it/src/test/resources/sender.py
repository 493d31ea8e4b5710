"""What tests hand connections over with: it shares no code with the proxy or the module."""
import array, os, socket, struct, sys, time

PATIENCE = 60
REQUEST = b"GET /who HTTP/1.1\r\nHost: shop.example.test\r\nConnection: close\r\n\r\n"


def unix(path, method):
    """A UNIX socket connected to an intake."""
    kind = socket.SOCK_DGRAM if method == "datagram" else socket.SOCK_STREAM
    s = socket.socket(socket.AF_UNIX, kind)
    s.settimeout(PATIENCE)
    s.connect(path)
    return s


def listener(family=socket.AF_INET, address="127.0.0.1", backlog=1024):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((address, 0))
    s.listen(backlog)
    return s


def pairs(count, server=None):
    """Clients, and their connections as the proxy would have accepted them, but blocking."""
    server = server or listener()
    clients, accepted = [], []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", server.getsockname()[1]), PATIENCE)
        connection = server.accept()[0]
        connection.setblocking(True)
        clients.append(client)
        accepted.append(connection)
    return clients, accepted


def send(channel, sockets, data=b"P"):
    """One message; closes what it passed, as the proxy does."""
    rights = array.array("i", [s if isinstance(s, int) else s.fileno() for s in sockets])
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if sockets else []
    channel.sendmsg([data], control)
    for s in sockets:
        if not isinstance(s, int):
            s.close()


def answer(client):
    """Reads a response to its end: its body, or what happened instead."""
    try:
        text = b""
        while True:
            part = client.recv(65536)
            if not part:
                break
            text += part
        head, _, body = text.decode().partition("\r\n\r\n")
        return body.strip() if head.startswith("HTTP/1.1 200 ") else "no answer: %r" % text
    except OSError as e:
        return "no answer: %s" % e


def own(client):
    """How the answer must begin."""
    return "%s %d %s %d " % (client.getsockname() + client.getpeername())


def ask(clients):
    """Asks on each, and says how many were answered, by their own address; names the others."""
    for client in clients:
        client.sendall(REQUEST)
    tell(clients)


def tell(clients):
    good = 0
    for client in clients:
        expected, got = own(client), answer(client)
        if got.startswith(expected):
            good += 1
        else:
            print("expected", expected, "got", got)
    print("answered", good)


def passed(path, method, count):
    """Hands some connections over, one a message, and asks on them."""
    clients, accepted = pairs(count)
    channel = None
    for connection in accepted:
        if channel is None or method == "once":
            channel = unix(path, method)
        send(channel, [connection])
    ask(clients)


# Loaded now: another user may not be able to read the library.
"localhost".encode("idna")


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


path, method = sys.argv[1:3]
