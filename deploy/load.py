#!/usr/bin/env python3
"""Load for deploy/check: clients with persistent connections, for some seconds or until SIGTERM. Prints failures.

    load.py URL SECONDS CLIENTS reads|all

`reads` sends idempotent requests (GET and PUT), `all` creates, writes and deletes too. Exits with 0 if every
response was 200 and as expected.
"""

import collections
import http.client
import json
import signal
import sys
import threading
import time
import urllib.parse

ROOT = "/genesys/1/service"


class Client(threading.Thread):
    def __init__(self, address, ended, everything):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(address, timeout=15)
        self.ended = ended
        self.everything = everything
        self.times = []
        self.failures = []

    def send(self, method, path, body=None, expected=None):
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        started = time.monotonic()
        try:
            self.connection.request(method, ROOT + path, body, headers)
            response = self.connection.getresponse()
            text = response.read().decode()
            if response.status != 200 or expected not in (None, text):
                self.failures.append(f"{method}: {response.status} {text[:200]}")
            return text
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.failures.append(f"{method}: {type(error).__name__} {error}")
            return "{}"
        finally:
            self.times.append(time.monotonic() - started)

    def create(self):
        return json.loads(self.send("POST", "/store", "key=value")).get("_id", "none")

    def run(self):
        mine = self.create()
        while not self.ended.is_set():
            self.send("GET", f"/{mine}/storage/key", expected='{"key":"value"}')
            self.send("GET", f"/{mine}/storage")
            self.send("GET", f"/{mine}")
            self.send("PUT", f"/{mine}?ttl=600")
            if self.everything:
                other = self.create()
                self.send("POST", f"/{other}/storage", "more=1")
                self.send("GET", f"/{other}/storage/more", expected='{"more":"1"}')
                self.send("DELETE", f"/{other}", expected="OK")


def main():
    url, seconds, clients, kind = sys.argv[1:]
    address = urllib.parse.urlsplit(url).netloc
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    client_threads = [Client(address, ended, kind == "all") for _ in range(int(clients))]
    for client in client_threads:
        client.start()
    ended.wait(float(seconds))
    ended.set()
    for client in client_threads:
        client.join()
    times = sorted(time for client in client_threads for time in client.times)
    failures = collections.Counter(failure for client in client_threads for failure in client.failures)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"{len(times)} requests by {clients} clients, {failures.total()} failed; "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {times[-1] * 1000:.0f} ms"
    )
    for failure, count in failures.most_common(10):
        print(f"  {count} times {failure}")
    return 1 if failures else 0


sys.exit(main())
