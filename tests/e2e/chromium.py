# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium and the pages that it shows, driven by its DevTools protocol
(https://chromedevtools.github.io/devtools-protocol). What a test does, a person could: it points,
clicks and types."""

import asyncio
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import websockets

import flow_process
from flow_process import alive

# A browser is large: on a machine with much else to do, a page takes most of a minute.
PATIENCE = 2 * flow_process.PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Chromium talks to its makers by itself; here it may talk to this machine alone. Its sandbox does
# not work as root in a container.
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-breakpad",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1200,900",
)

# Where a person would click on the element that matches: its middle, once it lies still and nothing
# covers it. null: not yet.
MIDDLE = """(async (selector) => {
  const element = document.querySelector(selector);
  if (!element || element.disabled) return null;
  element.scrollIntoView({block: "center", behavior: "instant"});
  const place = () => { const {x, y, width, height} = element.getBoundingClientRect();
                        return {x: x + width / 2, y: y + height / 2}; };
  const before = place();
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const {x, y} = place();
  if (x !== before.x || y !== before.y) return null;
  return element.contains(document.elementFromPoint(x, y)) ? {x, y} : null;
})(%s)"""


def find():
    """The path of a Chromium; None: there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """Its processes, with an empty profile; gone after end()."""

    def __init__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="flow-chromium-"))
        with open(self._folder / "log", "wb") as log:
            # It ends with us, should we be killed.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", find(), *OPTIONS,
                 f"--user-data-dir={self._folder / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "HOME": str(self._folder)})
        try:
            port, path = flow_process.wait_for("Chromium to start", self._debugger, PATIENCE)
        except BaseException:
            self.end()
            raise
        self.debugger = f"ws://127.0.0.1:{port}{path}"

    def end(self):
        # They are a session, and so a process group, of their own.
        members = [int(entry.name) for entry in pathlib.Path("/proc").iterdir()
                   if entry.name.isdigit() and _session_of(int(entry.name)) == self._process.pid]
        with contextlib.suppress(ProcessLookupError):  # they ended by themselves
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        flow_process.wait_for("all processes of Chromium to end",
                              lambda: not any(map(alive, members)))
        shutil.rmtree(self._folder)

    def log(self):
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def _debugger(self):
        """Port and path, which it writes down when it listens."""
        if self._process.poll() is not None:
            raise AssertionError(f"Chromium ended by itself:\n{self.log()}")
        try:
            lines = (self._folder / "profile" / "DevToolsActivePort").read_text().split()
        except FileNotFoundError:
            return None
        return lines if len(lines) == 2 else None


class Refused(AssertionError):
    """A command that Chromium could not obey."""


class Page:
    """A page of a Chromium: an asynchronous context manager."""

    def __init__(self, chromium):
        self.requests = []  # every URL that it asked for
        self.exceptions = []  # what its scripts did not catch
        self._chromium = chromium
        self._answers = {}  # to commands that are underway, by number
        self._numbers = itertools.count(1)
        self._session = None  # with the page; until there is one, commands go to the browser

    async def __aenter__(self):
        self._connection = await websockets.connect(
            self._chromium.debugger, open_timeout=PATIENCE, max_size=None, ping_interval=None)
        self._reader = asyncio.create_task(self._read())
        self._target = (await self._command("Target.createTarget", url="about:blank"))["targetId"]
        answer = await self._command("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = answer["sessionId"]
        for command in ("Page.enable", "Runtime.enable", "Network.enable", "Page.bringToFront"):
            await self._command(command)
        return self

    async def __aexit__(self, *_):
        self._session = None
        await self._command("Target.closeTarget", targetId=self._target)
        self._reader.cancel()
        await self._connection.close()

    async def open(self, url):
        answer = await self._command("Page.navigate", url=url)
        if "errorText" in answer:
            raise AssertionError(f"{url}: {answer['errorText']}")
        await self.wait_until("the page to be there", f"""
            location.href === {json.dumps(url)} && document.readyState === "complete" """)

    async def evaluate(self, script):
        """What an expression of JavaScript is, once it is known."""
        answer = await self._command("Runtime.evaluate", expression=script, returnByValue=True,
                                     awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{answer['exceptionDetails']} in {script}")
        return answer["result"].get("value")

    async def wait_until(self, what, script):
        """Waits until an expression is true, and gives its value."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            with contextlib.suppress(Refused):  # between two pages there is nobody to ask
                if value := await self.evaluate(script):
                    return value
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"waited {PATIENCE} s for {what}\n{self._chromium.log()}")
            await asyncio.sleep(0.02)

    async def text(self, selector):
        """What a person reads in the element that matches, once there is one."""
        return await self.wait_until(f"{selector} to have words",
                                     f"document.querySelector({json.dumps(selector)})?.innerText")

    async def click(self, selector):
        at = await self.wait_until(f"{selector} to be there to be clicked",
                                   MIDDLE % json.dumps(selector))
        for kind in ("mousePressed", "mouseReleased"):
            await self._command("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1,
                                **at)

    async def write(self, selector, text):
        """Types into a field, in place of what stands there."""
        await self.click(selector)
        await self._command("Input.dispatchKeyEvent", type="rawKeyDown", key="a", code="KeyA",
                            modifiers=2, commands=["selectAll"])
        await self._command("Input.insertText", text=text)
        await self.wait_until(
            f"{selector} to hold what was typed",
            f"document.querySelector({json.dumps(selector)})?.value === {json.dumps(text)}")

    # ---- the protocol ---------------------------------------------------------------------------

    async def _command(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps(message))
        return await asyncio.wait_for(answer, PATIENCE)

    async def _read(self):
        why = "it hung up"
        try:
            async for text in self._connection:
                self._take(json.loads(text))
        except websockets.ConnectionClosed as error:
            why = error
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(
                    AssertionError(f"Chromium is gone: {why}\n{self._chromium.log()}"))

    def _take(self, message):
        if "id" in message:
            answer = self._answers.pop(message["id"])
            if answer.done():
                return
            if "error" in message:
                answer.set_exception(Refused(f"Chromium refuses: {message['error']}"))
            else:
                answer.set_result(message["result"])
        elif message["method"] == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message["method"] == "Runtime.exceptionThrown":
            self.exceptions.append(message["params"]["exceptionDetails"])


def _session_of(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
