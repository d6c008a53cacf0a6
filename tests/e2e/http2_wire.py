# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 written by hand, for what no library would send."""

import os
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
