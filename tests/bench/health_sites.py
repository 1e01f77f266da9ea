#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers for checks to probe, in one process. Standard input takes one JSON object per line, and standard output
answers each with `ok`.

    {"op": "open", "address": "10.2.0.10", "port": 80, "kind": "http", "delay_ms": [20, 150]}
    {"op": "close", …}    the port is closed
    {"op": "status", …, "status": 500}
    {"op": "open", …, "kind": "https", "cert": FILE, "key": FILE};  {"op": "cert", …, "cert": FILE, "key": FILE}

With `delay_ms` a relay before the server delays all bytes: each chunk by a random time within the two limits, in order.
"""
import asyncio
import json
import random
import resource
import ssl
import sys


class Place:
    """The server at one address and port."""

    def __init__(self, order):
        self.order = order
        self.status = 200
        self.servers = []
        self.context = None

    async def http(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            words = {200: "OK", 500: "Internal Server Error"}
            if head:
                writer.write(f"HTTP/1.1 {self.status} {words.get(self.status, 'Status')}\r\nContent-Length: 2\r\n"
                             "Connection: close\r\n\r\nok".encode())
                await writer.drain()
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def tcp(self, reader, writer):
        try:
            await asyncio.wait_for(reader.read(1), 10)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()

    async def shovel(self, reader, writer):
        low, high = self.order["delay_ms"]
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(random.uniform(low, high) / 1000)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def relay(self, reader, writer):
        port = self.servers[0].sockets[0].getsockname()[1]
        try:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.shovel(reader, behind_writer), self.shovel(behind_reader, writer))

    def load(self, order):
        self.context.load_cert_chain(order["cert"], order["key"])

    async def open(self):
        address, port = self.order["address"], self.order["port"]
        serve = self.tcp if self.order["kind"] == "tcp" else self.http
        if self.order["kind"] == "https":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.load(self.order)
        if self.order.get("delay_ms"):
            self.servers = [await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256, ssl=self.context),
                            await asyncio.start_server(self.relay, address, port, backlog=256)]
        else:
            self.servers = [await asyncio.start_server(serve, address, port, backlog=256, ssl=self.context)]

    def close(self):
        for server in self.servers:
            server.close()
        self.servers = []


async def obey(places, order):
    key = (order["address"], order["port"])
    if order["op"] == "open":
        places.setdefault(key, Place(order))
        await places[key].open()
    elif order["op"] == "close":
        places[key].close()
    elif order["op"] == "status":
        places[key].status = order["status"]
    elif order["op"] == "cert":
        places[key].load(order)


async def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    places = {}
    while line := await reader.readline():
        await obey(places, json.loads(line))
        print("ok", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
