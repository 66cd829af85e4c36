"""What is put right about requests to the administration before schemathesis sends them, so that most of them are
about what is there and say what it can be."""

import itertools
import json
from pathlib import Path

import schemathesis

COUNT = itertools.count()
CLIENTS = itertools.count()
# What seed.py has made. An import that replaces everything has it too: else nothing of it would be left.
KEPT = Path("target/api/catalog.toml").read_text()
# Those that may go, by the operation that takes them away.
MORTAL = {
    "deleteConfiguredService": itertools.cycle(f"a-mortal-service-{n}" for n in range(30)),
    "deleteGroup": itertools.cycle(f"A-mortal-group-{n}" for n in range(30)),
}
CHANGES = {"putConfiguredService", "putGroup", "replaceCatalog", "mergeCatalog", *MORTAL}
# Those of the examples in the description.
EXAMPLES = {"call-us", "sales"}
ENTRY = '[services.import-{}]\n_type = "builtin"\n_service = "store"\n_ttl = {}\n'


@schemathesis.serializer("application/toml")
def toml(context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    # Requests share what they have in common: nothing is changed in its place.
    headers = dict(case.headers or {})
    # Each operation is tried with wrong passwords: all in all, that is more often than one client may.
    number = next(CLIENTS)
    headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    # Requests that go on from an answer are about its state.
    goes_on = case.meta is None or case.meta.phase.name.value == "stateful"
    if not goes_on and operation in MORTAL and case.path_parameters["name"] in EXAMPLES:
        case.path_parameters = {"name": next(MORTAL[operation])}
    # Most changes say the right thing of what there is, so that their body is looked at. Of the others one
    # condition is taken where there are two that cannot stand together.
    if not goes_on and operation in CHANGES and next(COUNT) % 8:
        if headers.get("If-None-Match") == "*":
            del headers["If-None-Match"]
        headers.pop("If-Match", None)
        name = (case.path_parameters or {}).get("name")
        if name is None or f".{name}]" in KEPT:
            headers["If-Match"] = "*"
    if "If-Match" in headers and headers.get("If-None-Match") == "*":
        del headers["If-None-Match" if next(COUNT) % 2 else "If-Match"]
    case.headers = headers
    # Text made up at random is no catalogue.
    if operation in {"mergeCatalog", "replaceCatalog"} and isinstance(case.body, str):
        if ENTRY[:10] not in case.body:
            case.body = ENTRY.format(next(COUNT) % 5, next(COUNT) + 1)
        if operation == "replaceCatalog":
            case.body = f"{KEPT}\n{case.body}"
