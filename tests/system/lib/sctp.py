#!/usr/bin/env python3
"""Send one SCTP INIT to ADDRESS PORT, as a kernel with SCTP would: sctp.py ADDRESS PORT [SOURCE-PORT]."""
import socket
import struct
import sys


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def init(sport, dport):
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 0x1234, 65536, 1, 1, 1)
    ports = struct.pack("!HHI", sport, dport, 0)
    return ports + struct.pack("<I", crc32c(ports + b"\0\0\0\0" + chunk)) + chunk


to, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in to else socket.AF_INET
s = socket.socket(family, socket.SOCK_RAW, 132)
s.sendto(init(int(sys.argv[3]) if len(sys.argv) > 3 else 40000, port), (to, 0))
