#!/usr/bin/env python3
"""A stand-in for systemd as it is to a service of Type=notify, for tests: see manager.bash.

    manager.py run DIR [--max N] [--watchdog MS] -- COMMAND...
        Runs COMMAND with NOTIFY_SOCKET, keeps what it stores (FDSTORE=1, N at most) and hands it to
        the next one, which it starts when told to: `start` into DIR/orders; by itself when DIR/always
        is there. DIR/main is the process id, empty when it has ended, DIR/store the names of what is
        kept, DIR/said every message, a line each, its lines parted by "|". With --watchdog one that
        is not heard of for so long is ended as systemd does it.

        Other orders: `litter` leaves answers unread in each netlink socket that is kept, half a dump
        among them; `lose` lets go of these sockets.
    manager.py give DIR NAME KIND
        Stores a descriptor of KIND, made in the namespace that this runs in.
    manager.py owner
        The netlink ports that own the tables here, inet's and netdev's; 0: nobody does.
    manager.py commit
        The number of the last change of nf_tables here.
"""
import array
import ctypes
import os
import select
import signal
import socket
import struct
import sys
import time

NETFILTER, AF_XDP = 12, 44
PR_SET_PDEATHSIG = 1


def put(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


class Manager:
    def __init__(self, folder, most, watchdog, command):
        self.folder, self.most, self.watchdog, self.command = folder, most, watchdog, command
        self.store = []  # (name, descriptor)
        self.pid = self.pidfd = self.deadline = None
        os.makedirs(folder, exist_ok=True)
        self.said = open(self.at("said"), "a", buffering=1, encoding="utf-8")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.at("notify"))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        os.mkfifo(self.at("orders"))
        self.orders = os.open(self.at("orders"), os.O_RDWR | os.O_NONBLOCK)
        self.show()

    def at(self, name):
        return os.path.join(self.folder, name)

    def show(self):
        put(self.at("store"), "".join(name + "\n" for name, _ in self.store))

    # --- the service -----------------------------------------------------------------------------

    def become(self, env):
        """In the child: what is kept stands from descriptor 3 on."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        high = [os.dup(fd) for _, fd in self.store]
        first = 3
        while any(first <= fd < first + len(high) for fd in high):
            high = [os.dup(fd) for fd in high]
        for i, fd in enumerate(high):
            os.dup2(fd, first + i, inheritable=True)
        env["LISTEN_PID"] = env["WATCHDOG_PID"] = str(os.getpid())
        os.execvpe(self.command[0], self.command, env)

    def start(self):
        env = dict(os.environ, NOTIFY_SOCKET=self.at("notify"))
        if self.store:
            env["LISTEN_FDS"] = str(len(self.store))
            env["LISTEN_FDNAMES"] = ":".join(name for name, _ in self.store)
        if self.watchdog:
            env["WATCHDOG_USEC"] = str(self.watchdog * 1000)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become(env)
            finally:
                os._exit(127)
        self.pidfd = os.pidfd_open(self.pid)
        put(self.at("main"), f"{self.pid}\n")

    def ended(self):
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.said.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
        self.pid = self.pidfd = self.deadline = None
        put(self.at("main"), "")
        if os.path.exists(self.at("always")):
            self.start()

    def hung(self):
        self.said.write("watchdog\n")
        self.deadline = None
        os.kill(self.pid, signal.SIGABRT)
        os.kill(self.pid, signal.SIGCONT)

    # --- messages --------------------------------------------------------------------------------

    def keep(self, name, fds):
        for fd in fds:
            if len(self.store) >= self.most or any(os.path.sameopenfile(fd, one)
                                                   for _, one in self.store):
                os.close(fd)
            else:
                self.store.insert(0, (name, fd))

    def remove(self, name):
        for _, fd in [one for one in self.store if one[0] == name]:
            os.close(fd)
        self.store = [one for one in self.store if one[0] != name]

    def heard(self):
        data, fds, _, _ = socket.recv_fds(self.sock, 65536, 253)
        for fd in fds:
            os.set_inheritable(fd, False)
        text = data.decode()
        self.said.write(text.rstrip("\n").replace("\n", "|") + "\n")
        fields = dict(line.split("=", 1) for line in text.splitlines())
        if fields.get("FDSTOREREMOVE") == "1":
            self.remove(fields["FDNAME"])
        elif fields.get("FDSTORE") == "1":
            assert fields.get("FDPOLL") == "0"
            self.keep(fields.get("FDNAME", "stored"), fds)
            fds = []
        for fd in fds:
            os.close(fd)  # a barrier: whoever waits for it goes on
        if self.watchdog and {"READY", "WATCHDOG"} & fields.keys():
            self.deadline = time.monotonic() + self.watchdog / 1000
        self.show()

    # --- orders ----------------------------------------------------------------------------------

    def litter(self):
        for name, fd in self.store:
            if not name.startswith("nl-"):
                continue
            sock = socket.socket(fileno=os.dup(fd))
            sock.sendto(request(1, 1, b"nonesuch"), (0, 0))  # of a table that is not: an error
            for seq in (1, 2):
                try:
                    sock.sendto(request(7, seq), (0, 0))  # of all rules
                except OSError:
                    pass  # the one before is not at its end
            sock.close()

    def ordered(self):
        for order in os.read(self.orders, 4096).decode().split():
            if order == "start" and not self.pid:
                self.start()
            elif order == "litter":
                self.litter()
            elif order == "lose":
                for name in {name for name, _ in self.store if name.startswith("nl-")}:
                    self.remove(name)
                self.show()

    def run(self):
        self.start()
        while True:
            left = max(self.deadline - time.monotonic(), 0) * 1000 if self.deadline else None
            watched = [self.sock.fileno(), self.orders] + ([self.pidfd] if self.pidfd else [])
            poll = select.poll()
            for fd in watched:
                poll.register(fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll(left)}
            # As systemd: what it said is read before its end is seen.
            if self.sock.fileno() in ready:
                self.heard()
            elif self.pidfd in ready:
                self.ended()
            elif self.orders in ready:
                self.ordered()
            elif self.deadline and time.monotonic() >= self.deadline:
                self.hung()


# --- netlink -------------------------------------------------------------------------------------

def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def request(message, seq, table=None):
    """A dump of nf_tables; of one TABLE no dump."""
    body = struct.pack("BBH", 1 if table else 0, 0, 0)
    if table:
        body += attribute(1, table + b"\0")
    return struct.pack("IHHII", 16 + len(body), 10 << 8 | message, 1 if table else 0x301, seq, 0) + body


def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        yield kind & 0x3fff, data[4:size]
        data = data[(size + 3) & ~3:]


def owners():
    """NFTA_TABLE_NAME is 1, NFTA_TABLE_OWNER 7."""
    found = {}
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    sock.sendto(request(1, 1), (0, 0))
    while True:
        data = sock.recv(65536)
        while data:
            size, kind = struct.unpack_from("IH", data)
            if kind < 16:
                return found
            table = dict(attributes(data[20:size]))
            if table[1] == b"bulkhead\0":
                found[data[16]] = struct.unpack(">I", table.get(7, bytes(4)))[0]
            data = data[(size + 3) & ~3:]


def commit():
    """NFT_MSG_GETGEN is 16, NFTA_GEN_ID 1."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    sock.sendto(struct.pack("IHHII", 20, 10 << 8 | 16, 1, 1, 0) + bytes(4), (0, 0))
    data = sock.recv(65536)
    return struct.unpack(">I", dict(attributes(data[20:]))[1])[0]


# --- descriptors of all kinds --------------------------------------------------------------------

def netlink(protocol, groups=0, bound=True):
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    if bound:
        sock.bind((0, groups))
    return sock


KINDS = {
    "file": lambda: os.fdopen(os.memfd_create("none of ours"), "rb"),
    "netns": lambda: open("/proc/self/ns/net", "rb"),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "route": lambda: netlink(0),
    "netfilter": lambda: netlink(NETFILTER),
    "unbound": lambda: netlink(NETFILTER, bound=False),
    "listening": lambda: netlink(NETFILTER, groups=1 << 6),
    "xdp": lambda: socket.socket(AF_XDP, socket.SOCK_RAW),
}


def give(folder, name, kind):
    with KINDS[kind]() as one, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(os.path.join(folder, "notify"))
        sock.sendmsg([f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0".encode()],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [one.fileno()]))])


def main(argv):
    if argv[0] == "give":
        give(*argv[1:])
    elif argv[0] == "owner":
        found = owners()
        print(found.get(1, "none"), found.get(5, "none"))
    elif argv[0] == "commit":
        print(commit())
    else:
        at = argv.index("--")
        options = dict(zip(argv[2:at:2], argv[3:at:2]))
        Manager(argv[1], int(options.get("--max", 8192)), int(options.get("--watchdog", 0)),
                argv[at + 1:]).run()


main(sys.argv[1:])
