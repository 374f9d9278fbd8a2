"""A real headless browser, driven over its DevTools protocol."""

import base64
import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 60
"""Seconds to wait for the browser."""
COMPLAINTS = ("Runtime.exceptionThrown", "Log.entryAdded")


class Browser:
    """One tab: commands, and the events that came back."""

    def __init__(self, socket):
        self.socket, self.session, self.number, self.events = socket, None, 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Send a command and return its result; events that arrive meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while (answer := self._receive()).get("id") != self.number:
            pass
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _receive(self):
        message = json.loads(self.socket.recv(timeout=PATIENCE))
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, path, *, width, height=900, dark=False):
        """Load a file as a window of this size would, and wait until it is there."""
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._receive()

    def run(self, script):
        """Return the value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def serious(self):
        """Return what axe-core finds serious or critical in the page, all of it unfolded; skips without SCAR_AXE."""
        given = os.environ.get("SCAR_AXE")
        if not given:
            pytest.skip("name axe.min.js of axe-core by SCAR_AXE")
        self.run("for (const each of document.querySelectorAll('details')) each.open = true")
        self.run(Path(given).read_text(encoding="utf-8"))
        found = self.run(
            "axe.run().then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html.slice(0, 120))]))"
        )
        return [each for each in found if each[0] in ("serious", "critical")]

    def press(self, key, *, text="", shift=False):
        """Press and release a key, e.g. ``"Tab"``."""
        codes = {"Tab": 9, "Enter": 13, "Home": 36, "ArrowRight": 39, "0": 48, "+": 187, "-": 189}
        about = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], "modifiers": 8 if shift else 0}
        about |= {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def screenshot(self, path):
        """Write the whole page as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def requests(self):
        """Return the addresses that the page asked for, but for itself and for what it carries."""
        sent = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in sent[1:] if not url.startswith("data:")]

    def complaints(self):
        """Return errors, and whatever the page wrote to the console."""
        return [e["params"] for e in self.events if e["method"] in (*COMPLAINTS, "Runtime.consoleAPICalled")]


@contextmanager
def browser(folder):
    """Start Chromium with a profile of its own below a folder.

    Raises:
        FileNotFoundError: Chromium is not installed.
    """
    profile = folder / "profile"
    process = subprocess.Popen(
        ["chromium", *FLAGS, f"--user-data-dir={profile}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with connect(_address(profile, process), max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait()


def _address(profile, process):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, f"chromium ended with {process.returncode}"
        lines = (
            (profile / "DevToolsActivePort").read_text().split() if (profile / "DevToolsActivePort").exists() else []
        )
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise TimeoutError(f"chromium did not open its port within {PATIENCE} s")
