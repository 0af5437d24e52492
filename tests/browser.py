"""A real headless Chromium for tests, by the W3C WebDriver protocol: Debian's chromium and chromium-driver.

Six requests of the protocol are all that is needed, so no client library is installed for them. As a program it takes
a picture of a page: ``python tests/browser.py report.html picture.png '#scores'``.
"""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Browser:
    """One session of a running driver."""

    def __init__(self, driver: str, capabilities: dict[str, Any]) -> None:
        self._at = driver
        made = self._send("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._at = f"{driver}/session/{made['sessionId']}"

    def open(self, page: Path) -> None:
        """Load a file and wait until it says that everything is drawn."""
        self.visit(page.resolve().as_uri())

    def visit(self, address: str) -> None:
        """Load an address, as `open` does a file."""
        self._send("POST", "/url", {"url": address})
        self.run_async(
            "const done = arguments[0]; const look = () => document.documentElement.dataset.ready"
            " ? done(true) : setTimeout(look, 20); look();"
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page and return what it returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script: str) -> Any:
        """Run the body of a function whose last argument is to be called with the result."""
        return self._send("POST", "/execute/async", {"script": script, "args": []})

    def log(self) -> list[str]:
        """Return what the console was told since the last call, errors of loading and of policy among it."""
        return [entry["message"] for entry in self._send("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, to: Path) -> None:
        """Save what the window shows as PNG."""
        to.write_bytes(base64.b64decode(self._send("GET", "/screenshot")))

    def close(self) -> None:
        """End the session."""
        self._send("DELETE", "")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._at + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=150) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error


@contextmanager
def chromium(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Browser]:
    """Run a browser whose page is `width` by `height` CSS pixels."""
    driver, binary = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver and binary, "apt-get install chromium chromium-driver"
    with tempfile.TemporaryDirectory() as profile:
        process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            port = next(
                line.split()[-1].rstrip(".") for line in process.stdout if "started successfully on port" in line
            )
            arguments = [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                "--hide-scrollbars", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
                # Offline, whatever the machine is.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            ]  # fmt: skip
            browser = Browser(
                f"http://127.0.0.1:{port}",
                {
                    "browserName": "chrome",
                    "timeouts": {"script": 120_000},
                    "goog:loggingPrefs": {"browser": "ALL"},
                    "goog:chromeOptions": {
                        "binary": binary,
                        "args": arguments,
                        "mobileEmulation": {
                            "deviceMetrics": {"width": width, "height": height, "pixelRatio": 1, "mobile": False}
                        },
                    },
                },
            )
            try:
                yield browser
            finally:
                browser.close()
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


if __name__ == "__main__":
    page, picture, *anchor = sys.argv[1:]
    with chromium(1280, 1380) as opened:
        opened.open(Path(page))
        if anchor:
            opened.run("document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})", anchor[0])
        opened.screenshot(Path(picture))
