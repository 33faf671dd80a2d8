#!/usr/bin/env python3
"""Opens a running gateway's dashboards in headless Chromium and waits until they show live data.

    dashboards.py http://127.0.0.1:8080 [--timeout 60] [--screenshots DIRECTORY] [--user NAME --password WORD]

The fleet's page must be live with a map, a drone and a delivery's row; the energy page live with a floor's reading; the
cluster's page live with a node and a ring at rest; all without a problem on the page, an uncaught error or a missing file, in a wide and in a narrow window.
Exits 0 when all holds, 1 with one line for each thing that does not, 2 when the browser or the gateway is missing.
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request

from browser import Browser, BrowserError

# How often a page is asked for its state, in seconds.
POLL_SECONDS = 0.25

# What each page says about itself on its body, with the test of it and the words for its failure.
PAGES = {
    "fleet": {
        "path": "/dashboard",
        "conditions": [
            ("connection", lambda value: value == "live", "is not live"),
            ("map", lambda value: value == "drawn", "has no map"),
            ("drones", lambda value: int(value) >= 1, "shows no drone"),
            ("deliveries", lambda value: int(value) >= 1, "shows no delivery"),
        ],
    },
    "energy": {
        "path": "/dashboard/energy",
        "conditions": [
            ("connection", lambda value: value == "live", "is not live"),
            ("charts", lambda value: value == "drawn", "has no charts"),
            ("floors", lambda value: int(value) >= 1, "shows no floor"),
            ("readings", lambda value: int(value) >= 1, "shows no reading"),
        ],
    },
    "cluster": {
        "path": "/dashboard/cluster",
        "conditions": [
            ("connection", lambda value: value == "live", "is not live"),
            ("nodes", lambda value: int(value) >= 1, "shows no node"),
            ("change", lambda value: value == "none", "shows a change of the ring"),
        ],
    },
}

# Width and height of the windows, in pixels.
WINDOWS = {"wide": (1400, 900), "narrow": (420, 900)}

SIGN_IN = """(() => {
    document.querySelector("#sign-in").click();
    const form = document.querySelector("#sign-in-dialog form");
    form.elements.username.value = %s;
    form.elements.password.value = %s;
    form.requestSubmit();
})()"""


def state(browser):
    """The data attributes of the page's body; empty while there is none."""
    return json.loads(browser.evaluate("JSON.stringify({...document.body?.dataset})"))


def unmet(found, conditions):
    """What is still missing on a page, in words."""
    missing = [
        f"{words} (data-{name} is {found.get(name)!r})"
        for name, holds, words in conditions if name not in found or not holds(found[name])]
    if found.get("errors", "0") != "0":
        missing.append(f"reports a problem: {found.get('error', '')}")
    return missing


def check(url, name, window, arguments):
    """Waits for a page in a window of its own; returns the failures as lines."""
    page, where = PAGES[name], f"{name} page, {window} window"
    width, height = WINDOWS[window]
    with Browser(width, height) as browser:
        browser.open(url + page["path"])
        if arguments.user:
            wait_for(browser, arguments.timeout, lambda: state(browser).get("ready") == "yes")
            browser.evaluate(SIGN_IN % (json.dumps(arguments.user), json.dumps(arguments.password)))
        missing = []

        def is_complete():
            nonlocal missing
            missing = unmet(state(browser), page["conditions"])
            return not missing

        wait_for(browser, arguments.timeout, is_complete)
        if arguments.screenshots:
            browser.screenshot(os.path.join(arguments.screenshots, f"{name}-{window}.png"))
        overflow = browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            missing.append(f"is {overflow} pixels wider than its window")
        complaints = dict.fromkeys(text for text in browser.messages if is_fault(text))
        return [f"{where}: {text}" for text in [*missing, *complaints]]


def is_fault(message):
    """True for what must not happen on a page: errors of its code, refusals by its policy, missing files of its own.

    Calls that fail are the page's to report and to try again. Minified libraries are a first choice that some releases
    of Debian lack; without any library the page says so itself.
    """
    if ".min.js" in message:
        return False
    return not message.startswith("network:") or "/web/" in message or message.endswith(".css")


def wait_for(browser, seconds, condition):
    """Waits until a condition holds, or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("url", help="the gateway, as http://127.0.0.1:8080")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for each page (60)")
    parser.add_argument("--screenshots", help="a directory for a picture of each page")
    parser.add_argument("--user", help="sign in as this user, when the gateway has users")
    parser.add_argument("--password", default="", help="the user's password")
    arguments = parser.parse_args()
    url = arguments.url.rstrip("/")
    if arguments.screenshots:
        os.makedirs(arguments.screenshots, exist_ok=True)
    try:
        urllib.request.urlopen(url + "/dashboard", timeout=10).close()
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{url}/dashboard: {error}: is a gateway running there?", file=sys.stderr)
        return 2
    failures = []
    try:
        for name in PAGES:
            for window in WINDOWS:
                found = check(url, name, window, arguments)
                failures += found
                print(f"{name} page, {window} window: {'FAILED' if found else 'ok'}")
    except BrowserError as error:
        print(f"browser: {error}", file=sys.stderr)
        return 2
    for line in failures:
        print(line, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
