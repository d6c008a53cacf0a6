# SPDX-License-Identifier: Apache-2.0
"""Load whose every answer is looked at: what was sent, answered, failed, wrong, and what never came."""

import asyncio
import json
import time

import common

BODY = '{"data":[{"text":"%s"}],"execEndpoint":"/x"}'


class Tally:
    """What became of the requests of all callers."""

    def __init__(self):
        self.sent = self.answered = self.wrong = 0
        self.failed = []  # what each one that failed was told
        self.latencies_ms = []
        self.longest_pause_ms = 0.0  # in which nobody was answered, though all of them waited
        self.last_answer = None

    def lost(self):
        return self.sent - self.answered - len(self.failed)

    def sound(self):
        """Each request ended once, and with its own answer."""
        return self.wrong == 0 and self.lost() == 0

    def heard(self, now):
        """Somebody was answered."""
        if self.last_answer is not None:
            self.longest_pause_ms = max(self.longest_pause_ms, 1e3 * (now - self.last_answer))
        self.last_answer = now


class Connection:
    """HTTP/1.1 of one caller, who waits for each answer."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.writer.close()
        await self.writer.wait_closed()

    @classmethod
    async def to(cls, port):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        return self

    async def ask(self, method, path, body=b""):
        """Status and body."""
        return await asyncio.wait_for(self._ask(method, path, body), common.PATIENCE_S)

    async def _ask(self, method, path, body):
        self.writer.write(b"%s %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                          b"content-length: %d\r\n\r\n%s" % (method, path, len(body), body))
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        return int(head.split(b" ", 2)[1]), await self.reader.readexactly(length)


def no_look(_):
    pass


async def _call(name, port, goes_on, tally, look):
    async with await Connection.to(port) as connection:
        number = 0
        while goes_on():
            number += 1
            text = f"{name}-{number}"
            tally.sent += 1
            start = time.monotonic()
            status, body = await connection.ask(b"POST", b"/post", (BODY % text).encode())
            now = time.monotonic()
            tally.latencies_ms.append(1e3 * (now - start))
            tally.heard(now)
            answer = json.loads(body)
            said = answer["header"]["status"]
            if status == 200 and not (said and said["code"]):
                tally.answered += 1
                # An answer that came twice, or was another's, would be noticed by its text.
                tally.wrong += answer["data"][0]["text"] != text
                look(answer["data"][0])
            else:
                tally.failed.append(f"{status}: {said['description']}")


async def load(port, count, work, look=no_look):
    """So many callers, each of which asks again as soon as it is answered, until `work` is done.

    `work` gets the tally while it grows; `look` sees each document that is answered.
    """
    tally = Tally()
    working = asyncio.create_task(work(tally))
    async with asyncio.TaskGroup() as group:
        for name in range(count):
            group.create_task(_call(name, port, lambda: not working.done(), tally, look))
    await working
    return tally
