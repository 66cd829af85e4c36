"""Changes requests before schemathesis sends them, so that most of them refer to existing services."""

import itertools
import re
from pathlib import Path

import schemathesis

COUNT = itertools.count()
NAMES = itertools.cycle(["store", "request-interaction", "request-access", "match-interaction"])
# The example service of the document, and ids of earlier responses.
ID = re.compile("store|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Operations that delete or clear their service.
DESTRUCTIVE = {
    "setExpiration",
    "deleteService",
    "setConversationExpiration",
    "clearStorage",
    "deleteKey",
    "deleteStorageArea",
    "deleteStorageAreaKey",
}


def ids(name):
    """The ids that seed.py has written."""
    lines = Path("target/api", name).read_text().split()
    return itertools.cycle([line.strip('"') for line in lines])


LASTING, MORTAL = ids("lasting.txt"), ids("mortal.txt")


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    # Requests share these objects, so change copies.
    headers, parameters = dict(case.headers or {}), dict(case.path_parameters or {})
    # A known key returns the earlier response without processing the request. schemathesis repeats few keys, so make
    # most of them unique.
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) < 240 and next(COUNT) % 8:
        headers["Idempotency-Key"] = f"{key}{next(COUNT)}"
        case.headers = headers
    # Requests of the stateful phase refer to earlier responses.
    if case.meta is None or case.meta.phase.name.value == "stateful":
        return
    for name in {"id", "service", "idOrTtl"} & parameters.keys():
        if ID.fullmatch(str(parameters[name])) is None:
            continue
        if operation in DESTRUCTIVE:
            parameters[name] = next(MORTAL)
        elif operation == "createService" or (operation == "getService" and next(COUNT) % 2):
            parameters[name] = next(NAMES)
        else:
            parameters[name] = next(LASTING)
    case.path_parameters = parameters
