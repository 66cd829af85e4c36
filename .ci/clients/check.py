"""Generates a Python client from a description of the API, and fails on any warning, on a missing operation,
on a module that cannot be imported, and on a described service that is not parsed as one. Then the client uses a
service of the API at BASE_URL for its whole life.

    check.py DESCRIPTION WORK_DIRECTORY BASE_URL
"""

import importlib
import json
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys

METHODS = ("get", "post", "put", "delete", "head")


def main(description: str, work: str, base_url: str) -> None:
    output = pathlib.Path(work, "client")
    shutil.rmtree(output, ignore_errors=True)
    # Without formatting, which needs more tools.
    config = pathlib.Path(work, "client.json")
    settings = {
        "post_hooks": [],
        "package_name_override": "switchboard_client",
        # The program does not know the type of imports.
        "content_type_overrides": {"application/toml": "application/octet-stream"},
    }
    config.write_text(json.dumps(settings))
    program = pathlib.Path(sys.executable).with_name("openapi-python-client")
    command = [program, "generate", "--path", description, "--output-path", output, "--config", config]
    generated = subprocess.run(command, capture_output=True, text=True)
    output_text = generated.stdout + generated.stderr
    if generated.returncode or "WARNING" in output_text or "Warning" in output_text:
        sys.exit(f"openapi-python-client: {output_text}")

    sys.path.insert(0, str(output))
    package = importlib.import_module("switchboard_client")

    def failed(name: str) -> None:
        raise ImportError(name)

    names = [module.name for module in pkgutil.walk_packages(package.__path__, "switchboard_client.", failed)]
    for name in names:
        importlib.import_module(name)
    functions = {name.rsplit(".", 1)[1] for name in names if ".api." in name}
    paths = json.loads(pathlib.Path(description).read_text())["paths"].values()
    operations = [path[method]["operationId"] for path in paths for method in METHODS if method in path]
    missing = [one for one in operations if re.sub(r"(?<!^)(?=[A-Z])", "_", one).lower() not in functions]
    if missing or not operations:
        sys.exit(f"operations without a function: {missing}")
    check_described_service()
    importlib.import_module("lifecycle").use_service(base_url)
    print(f"a Python client was generated, and used a service: {len(operations)} operations, {len(names)} modules")


def check_described_service() -> None:
    """All members of the result of a create are optional, so it must not be preferred to a described service."""
    httpx = importlib.import_module("httpx")
    client = importlib.import_module("switchboard_client").Client(base_url="http://localhost")
    operation = importlib.import_module("switchboard_client.api.services.get_service")
    time = "2031-05-17T09:30:00.000Z"
    times = {"_created": time, "_expiration_time": time, "_ttl": 3600}
    described = {"_id": "1", "_service": "store", "_keys": ["Key1"], "_binaries": [], **times}
    for body, expected in ((described, "Service"), ({"_id": "1", "_pool_free": "5"}, "Created")):
        response = httpx.Response(200, json=body)
        parsed = operation._parse_response(client=client, response=response)
        if type(parsed).__name__ != expected or parsed.to_dict().keys() != body.keys():
            sys.exit(f"expected {expected}, got {parsed!r}")


main(*sys.argv[1:])
