#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends the paragraphs of a text file through the quickstart Flow and shows what comes back.

    examples/quickstart/send_paragraphs.py [FILE] [--address HOST:PORT]

Any gRPC client can do this; this one needs python3-grpcio, python3-protobuf and protoc.
"""

import argparse
import importlib
import pathlib
import struct
import subprocess
import sys
import tempfile

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]


def messages():
    """The protocol's messages, generated on the spot."""
    folder = tempfile.TemporaryDirectory()
    subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder.name}",
                    "jina.proto", "docarray.proto"], check=True)
    sys.path.insert(0, folder.name)
    sys.dont_write_bytecode = True
    module = importlib.import_module("jina_pb2")
    folder.cleanup()
    return module


def vector(document):
    dense = document.embedding.dense
    return struct.unpack(f"<{len(dense.buffer) // 4}f", dense.buffer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=pathlib.Path, default=ROOT / "README.md")
    parser.add_argument("--address", default="localhost:12345")
    arguments = parser.parse_args()
    jina = messages()

    request = jina.DataRequestProto()
    paragraphs = [" ".join(part.split()) for part in arguments.file.read_text().split("\n\n")]
    for index, paragraph in enumerate(filter(None, paragraphs)):
        request.data.docs.docs.add(id=f"paragraph-{index}", text=paragraph)

    with grpc.insecure_channel(arguments.address) as channel:
        send = channel.unary_unary("/jina.JinaSingleDataRequestRPC/process_single_data",
                                   request_serializer=jina.DataRequestProto.SerializeToString,
                                   response_deserializer=jina.DataRequestProto.FromString)
        first, second = send(request, timeout=10), send(request, timeout=10)

    for document in first.data.docs.docs:
        values = ", ".join(f"{value:+.3f}" for value in vector(document)[:4])
        print(f"{document.id:13} [{values}, ...]  {document.text[:48]}")
    for route in first.routes:
        micros = (route.end_time.ToNanoseconds() - route.start_time.ToNanoseconds()) / 1000
        print(f"route {route.executor:10} {micros:7.0f} us")
    same = [vector(a) == vector(b) for a, b in zip(first.data.docs.docs, second.data.docs.docs)]
    print(f"{len(same)} paragraphs, sent twice: {sum(same)} vectors are the same")


if __name__ == "__main__":
    main()
