"""Changes admin requests before schemathesis sends them, so that most of them refer to existing entries and have valid
values."""

import itertools
import json
from pathlib import Path

import schemathesis

COUNT = itertools.count()
CLIENTS = itertools.count()
# The catalog of seed.py. Imports that replace the catalog include it, so that it is not deleted.
CATALOG = Path("target/api/catalog.toml").read_text()
# Entries that may be deleted, by operation.
MORTAL = {
    "deleteConfiguredService": itertools.cycle(f"a-mortal-service-{n}" for n in range(30)),
    "deleteGroup": itertools.cycle(f"A-mortal-group-{n}" for n in range(30)),
}
CHANGES = {"putConfiguredService", "putGroup", "replaceCatalog", "mergeCatalog", *MORTAL}
# Names in the examples of the document.
EXAMPLES = {"call-us", "sales"}
ENTRY = '[services.import-{}]\n_type = "builtin"\n_service = "store"\n_ttl = {}\n'


@schemathesis.serializer("application/toml")
def toml(context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    # Requests share these objects, so change copies.
    headers = dict(case.headers or {})
    # Each operation is tested with wrong passwords, which in total exceeds the rate limit of an address.
    number = next(CLIENTS)
    headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    # Requests of the stateful phase have the ETag of an earlier response.
    is_stateful = case.meta is None or case.meta.phase.name.value == "stateful"
    # The readiness probes of an OFFLINE replica return 503, which is an error for other operations.
    if operation == "setNodeStatus" and case.path_parameters["status"] == "OFFLINE":
        case.path_parameters = {"status": "ONLINE"}
    if not is_stateful and operation in MORTAL and case.path_parameters["name"] in EXAMPLES:
        case.path_parameters = {"name": next(MORTAL[operation])}
    # Give most changes a matching precondition, so that their body is processed. Of two preconditions that exclude
    # each other, the others keep one.
    if not is_stateful and operation in CHANGES and next(COUNT) % 8:
        if headers.get("If-None-Match") == "*":
            del headers["If-None-Match"]
        headers.pop("If-Match", None)
        name = (case.path_parameters or {}).get("name")
        if name is None or f".{name}]" in CATALOG:
            headers["If-Match"] = "*"
    if "If-Match" in headers and headers.get("If-None-Match") == "*":
        del headers["If-None-Match" if next(COUNT) % 2 else "If-Match"]
    case.headers = headers
    # Random text is not a valid catalog.
    if operation in {"mergeCatalog", "replaceCatalog"} and isinstance(case.body, str):
        if ENTRY[:10] not in case.body:
            case.body = ENTRY.format(next(COUNT) % 5, next(COUNT) + 1)
        if operation == "replaceCatalog":
            case.body = f"{CATALOG}\n{case.body}"
