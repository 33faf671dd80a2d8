"""A headless Chromium driven over its debugging pipe: standard library only, one page at a time.

`--dump-dom` and `--screenshot` stop at the load event, before the first live event has come; here a test waits for
what the page says about itself (the `data-` attributes of its body) in real time.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

# An answer of the browser that takes longer than this is a failure of the browser, in seconds.
ANSWER_SECONDS_MAX = 30


class BrowserError(Exception):
    """The browser is missing, died, or refused a command."""


class Browser:
    """A browser process with a profile of its own, both gone at the end of the `with` block."""

    def __init__(self, width=1400, height=900, flags=()):
        executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if executable is None:
            raise BrowserError("no chromium in PATH: install Debian's package chromium")
        self._profile = tempfile.mkdtemp(prefix="stormo-browser-")
        self._buffer = b""
        self._number = 0
        self._session = None
        self.messages = []
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        arguments = [
            executable, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self._profile}",
            f"--window-size={width},{height}", *flags, "about:blank",
        ]
        # Chromium reads commands from descriptor 3 and writes answers to descriptor 4; the shell puts ours there.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "browser", *arguments],
            pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        try:
            target = self._send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self._send(f"{domain}.enable")
            self._send(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the browser and removes its profile."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for descriptor in (self._write, self._read):
            try:
                os.close(descriptor)
            except OSError:
                pass
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url):
        """Starts loading a page; raises when there is nothing at the address."""
        answer = self._send("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")

    def evaluate(self, expression):
        """The value of a JavaScript expression (a promise is awaited) in the page."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def click(self, x, y):
        """A click of the left button at a point of the window."""
        self._send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path, whole_page=False):
        """Writes what the window shows (or the whole page) as PNG."""
        picture = self._send("Page.captureScreenshot", format="png", captureBeyondViewport=whole_page)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def _send(self, method, **parameters):
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        try:
            os.write(self._write, json.dumps(command).encode() + b"\0")
        except OSError as error:
            raise BrowserError(f"the browser is gone: {error}") from error
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            message = self._receive(deadline, method)
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def _receive(self, deadline, method):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise BrowserError(f"the browser did not answer {method} within {ANSWER_SECONDS_MAX} s")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise BrowserError(f"the browser ended during {method}")
            self._buffer += data
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)

    def _note(self, message):
        """Keeps what the page complains about: uncaught errors, console errors, refused resources."""
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.messages.append("uncaught: " + details.get("exception", {}).get("description", details["text"]))
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            entry = parameters["entry"]
            self.messages.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}".strip())
        elif message.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            words = [str(a.get("value", a.get("description", ""))) for a in parameters["args"]]
            self.messages.append("console: " + " ".join(words))
