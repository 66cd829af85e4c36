"""Makes what schemathesis asks about, and tells its names as dictionaries.

seed.py ADDRESS FOLDER [--key KEY] [--operator PASSWORD]
"""

import argparse
import base64
import json
import urllib.request
from pathlib import Path

PART = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
GROUP = '[resources.{}]\n_allocation_strategy = "CLUSTER"\nnumbers = {}\n'
SERVICE = '[services.{}]\n_type = "builtin"\n_service = "{}"\n_resource_group = "kept-group"\n'


def ask(path, body=None, method=None, **headers):
    """What the service answers."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"http://{arguments.address}/genesys/1/{path}", body, headers, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def make():
    """A service that holds the string Key1 and the binary MyPic.png."""
    parts = PART.format("Key1", "", "Value1"), PART.format("MyPic.png", '; filename="MyPic.png"', "12345")
    body = "".join(f"--b\r\n{part}" for part in parts) + "--b--\r\n"
    keys = {"x_api_key": arguments.key} if arguments.key else {}
    multipart = "multipart/form-data; boundary=b"
    return ask("service/store", body.encode(), Content_Type=multipart, **keys)["_id"]


def write(name, entries):
    Path(arguments.folder, name).write_text("".join(f'"{entry}"\n' for entry in entries))


def administrate():
    """Configured services and groups, and numbers that are held."""
    who = base64.b64encode(f"admin:{arguments.operator}".encode()).decode()
    operator = {"Authorization": f"Basic {who}"}
    # The first ones are those of the examples in the description; in lists the mortal ones come first, so that
    # what goes on from a list is about them.
    services = ["call-us"] + [f"a-mortal-service-{n}" for n in range(30)]
    groups = ["sales"] + [f"A-mortal-group-{n}" for n in range(30)]
    numbers = [f"80055501{n}" for n in range(10, 70)]
    catalog = GROUP.format("kept-group", json.dumps(numbers)) + "_booking_expiration_timeout = 1800\n"
    catalog += SERVICE.format("kept-service", "request-interaction")
    catalog += "".join(SERVICE.format(name, "store") for name in services)
    catalog += "".join(GROUP.format(name, []) for name in groups)
    toml = "application/toml"
    ask("admin/catalog", catalog.encode(), "PUT", Content_Type=toml, If_None_Match="*", **operator)
    # Some are held to the end, others can be given back.
    for _ in range(50):
        ask("service/kept-service", b"")
    held = ask("admin/groups/kept-group/bookings?limit=200", **operator)["bookings"]
    Path(arguments.folder, "catalog.toml").write_text(catalog)
    write("services.txt", ["kept-service", "store"])
    write("mortal-services.txt", services)
    write("groups.txt", ["kept-group", "DNIS"])
    write("mortal-groups.txt", groups)
    write("bookings.txt", [booking["booking"] for booking in held[:40]])


parser = argparse.ArgumentParser()
parser.add_argument("address")
parser.add_argument("folder")
parser.add_argument("--key")
parser.add_argument("--operator")
arguments = parser.parse_args()
names = ["store", "request-interaction", "request-access", "match-interaction", "app-to-connect-basic"]
lasting = [make() for _ in range(3)]
write("names.txt", names)
write("lasting.txt", lasting)
write("names-and-lasting.txt", names + lasting)
write("mortal.txt", [make() for _ in range(40)])
if arguments.operator:
    administrate()
