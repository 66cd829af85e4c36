"""What is put right about requests before schemathesis sends them, so that most of them are about what is there."""

import itertools
import re
from pathlib import Path

import schemathesis

COUNT = itertools.count()
NAMES = itertools.cycle(["store", "request-interaction", "request-access", "match-interaction"])
# What stands for a service in the description, and ids that were answered before.
ID = re.compile("store|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Operations that end or empty what they are asked about.
FATAL = {"setEnd", "endService", "setEndOfConversation", "clearStorage", "deleteKey"}


def ids(name):
    """Those that seed.py has made."""
    lines = Path("target/api", name).read_text().split()
    return itertools.cycle([line.strip('"') for line in lines])


LASTING, MORTAL = ids("lasting.txt"), ids("mortal.txt")


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    # Requests share what they have in common: nothing is changed in its place.
    headers, places = dict(case.headers or {}), dict(case.path_parameters or {})
    # A key that was there before gets the answer of that time, and nothing of the request is looked at. The
    # same few are sent again and again: most are made new ones, some stay what they are.
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) < 240 and next(COUNT) % 8:
        headers["Idempotency-Key"] = f"{key}{next(COUNT)}"
        case.headers = headers
    # Requests that go on from an answer are about what it made.
    if case.meta is None or case.meta.phase.name.value == "stateful":
        return
    for place in {"id", "service"} & places.keys():
        if ID.fullmatch(str(places[place])) is None:
            continue
        if operation in FATAL:
            places[place] = next(MORTAL)
        elif operation == "createService" or (operation == "tellService" and next(COUNT) % 2):
            places[place] = next(NAMES)
        else:
            places[place] = next(LASTING)
    case.path_parameters = places
