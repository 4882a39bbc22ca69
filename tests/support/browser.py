"""A real Chromium without a window, driven over the DevTools protocol.

    with Browser(directory) as browser:
        page = browser.open(path, width=360)
        page.evaluate("document.title")

Protocol: https://chromedevtools.github.io/devtools-protocol/ (Page, Runtime, Network, Log, Emulation, Accessibility).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import ClientConnection, connect

from support.programs import find

# Starting takes a second; on a machine that compiles on all cores it may take far more.
TIMEOUT_SECONDS = 120.0


class Browser:
    """One browser process with a profile of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "chromium.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: ClientConnection | None = None
        self._open = ExitStack()
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        arguments = [
            find("chromium"),
            "--headless",
            # Root has no sandbox. What is opened here is our own.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "--disable-gpu",
            # Containers give shared memory only 64 MiB.
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-extensions",
            "--disable-sync",
            "--no-first-run",
            "--no-proxy-server",
            "--remote-debugging-port=0",
            f"--user-data-dir={self._directory / 'profile'}",
            "about:blank",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                arguments,
                env={**os.environ, "HOME": str(self._directory)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        connection = connect(self._address(), open_timeout=TIMEOUT_SECONDS, max_size=None)
        self._connection = self._open.enter_context(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _address(self) -> str:
        """What Chromium says on stderr as soon as it listens."""
        assert self._process is not None
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := re.search(r"DevTools listening on (ws://\S+)", self._log.read_text(errors="replace")):
                return found[1]
            time.sleep(0.02)
        raise AssertionError(f"chromium did not start: {self._log.read_text(errors='replace')}")

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Calls a method; what happens meanwhile is kept in ``events``."""
        assert self._connection is not None
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._connection.send(json.dumps(message))
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def wait_for(self, method: str, session: str) -> None:
        """Waits until an event has happened, if it has not yet."""
        while not any(event["method"] == method and event.get("sessionId") == session for event in self.events):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._connection is not None
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=TIMEOUT_SECONDS))
        if "method" in message:
            self.events.append(message)
        return message

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, media: str = "screen"
    ) -> Page:
        """Opens a file in a page of its own, on a screen of that size; narrow ones are phones'."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.events.clear()
        page.call("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired", session)
        return page


class Page:
    """A page that has been loaded."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Calls a method of the protocol on this page."""
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = [event for event in self._browser.events if event.get("sessionId") == self._session]
        return [event["params"] for event in found if event["method"] == method]

    @property
    def messages(self) -> list[str]:
        """What the console shows: errors, warnings, whatever scripts write, uncaught exceptions."""
        entries = [one["entry"]["text"] for one in self._events("Log.entryAdded")]
        calls = [str(one["args"]) for one in self._events("Runtime.consoleAPICalled")]
        exceptions = [str(one["exceptionDetails"]) for one in self._events("Runtime.exceptionThrown")]
        return [*entries, *calls, *exceptions]

    @property
    def requests(self) -> list[str]:
        """Everything that was asked for, the page itself included."""
        return [one["request"]["url"] for one in self._events("Network.requestWillBeSent")]

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def accessible(self) -> list[dict[str, str]]:
        """What assistive technology is told: role and name of everything that is not ignored."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            {part: str(node.get(part, {}).get("value", "")) for part in ("role", "name")}
            for node in nodes
            if not node["ignored"]
        ]
