# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 written by hand, for what no library would send."""

import collections
import os
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


# What a sanitizer makes of a byte.
SHADOW = 8 if os.environ.get("FLOW_SANITIZE") else 1
RESET = b"\x03\0\0\0\0\1"  # RST_STREAM of stream 1, from the frame's type on


def literal(name, value):
    """One header field, HPACK literal without indexing, lengths below 127 or as a varint."""

    def string(text):
        size = len(text)
        if size < 127:
            return bytes([size]) + text
        out, size = b"\x7f", size - 127
        while size >= 128:
            out += bytes([size % 128 + 128])
            size //= 128
        return out + bytes([size]) + text

    return b"\0" + string(name) + string(value)


def grpc_headers(path=b"/jina.JinaSingleDataRequestRPC/process_single_data", more=b""):
    return (literal(b":method", b"POST") + literal(b":scheme", b"http") + literal(b":path", path)
            + literal(b":authority", b"x") + literal(b"content-type", b"application/grpc") + more)


Frame = collections.namedtuple("Frame", "kind flags stream payload")


def split_frames(data):
    """The whole frames that data starts with."""
    frames = []
    while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
        size = int.from_bytes(data[:3], "big")
        frames.append(Frame(data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + size]))
        data = data[9 + size:]
    return frames


def connect(port, timeout):
    """A connection on which both sides know each other's settings: before that, windows are small."""
    client = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    client.sendall(PREFACE + frame(4, 0, 0))
    heard = b""
    while not any(one.kind == 4 for one in split_frames(heard)):
        part = client.recv(65536)
        if not part:
            raise AssertionError(f"the connection was closed: {heard}")
        heard += part
    client.sendall(frame(4, 1, 0))
    return client


def message_frames(stream, message, flag=0):
    """One gRPC message in DATA frames."""
    data = struct.pack(">BI", flag, len(message)) + message
    return b"".join(frame(0, 0, stream, data[at:at + 16000]) for at in range(0, len(data), 16000))
