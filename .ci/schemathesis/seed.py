"""Creates the services and catalog entries of the API tests, and writes their names as dictionaries.

seed.py ADDRESS FOLDER [--key KEY] [--operator PASSWORD] [--chats]
"""

import argparse
import base64
import json
import urllib.request
from pathlib import Path

PART = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
GROUP = '[resources.{}]\n_allocation_strategy = "CLUSTER"\nnumbers = {}\n'
SERVICE = '[services.{}]\n_type = "builtin"\n_service = "{}"\n_resource_group = "kept-group"\n'


def send(path, body=None, method=None, **headers):
    """Sends a request and returns the JSON of the response."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"http://{arguments.address}/genesys/1/{path}", body, headers, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def create_service():
    """Creates a service with the string Key1 and the binary MyPic.png."""
    parts = PART.format("Key1", "", "Value1"), PART.format("MyPic.png", '; filename="MyPic.png"', "12345")
    body = "".join(f"--b\r\n{part}" for part in parts) + "--b--\r\n"
    keys = {"x_api_key": arguments.key} if arguments.key else {}
    multipart = "multipart/form-data; boundary=b"
    return send("service/store", body.encode(), Content_Type=multipart, **keys)["_id"]


def start_chat():
    """Creates a service with a chat."""
    service = send("service/request-chat", b"")["_id"]
    send(f"service/{service}/ixn/chat", b"firstName=Ann", Content_Type="application/x-www-form-urlencoded")
    return service


def write(name, entries):
    Path(arguments.folder, name).write_text("".join(f'"{entry}"\n' for entry in entries))


def create_catalog():
    """Creates configured services, groups and bookings."""
    credentials = base64.b64encode(f"admin:{arguments.operator}".encode()).decode()
    operator = {"Authorization": f"Basic {credentials}"}
    # The first names are those of the examples in the document. Mortal entries come first in lists, because stateful
    # requests use the first entry.
    services = ["call-us"] + [f"a-mortal-service-{n}" for n in range(30)]
    groups = ["sales"] + [f"A-mortal-group-{n}" for n in range(30)]
    numbers = [f"80055501{n}" for n in range(10, 70)]
    catalog = GROUP.format("kept-group", json.dumps(numbers)) + "_booking_expiration_timeout = 1800\n"
    catalog += SERVICE.format("kept-service", "request-interaction")
    # The host does not exist, so all events stay pending.
    catalog += '_webhook_url = "https://receiver.invalid/"\n_webhook_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n'
    catalog += "".join(SERVICE.format(name, "store") for name in services)
    catalog += "".join(GROUP.format(name, []) for name in groups)
    toml = "application/toml"
    send("admin/catalog", catalog.encode(), "PUT", Content_Type=toml, If_None_Match="*", **operator)
    # Some bookings stay, others can be released.
    for _ in range(50):
        send("service/kept-service", b"")
    bookings = send("admin/groups/kept-group/bookings?limit=200", **operator)["bookings"]
    Path(arguments.folder, "catalog.toml").write_text(catalog)
    write("services.txt", ["kept-service", "store"])
    write("mortal-services.txt", services)
    write("groups.txt", ["kept-group", "DNIS"])
    write("mortal-groups.txt", groups)
    write("webhooks.txt", ["services/kept-service"])
    write("bookings.txt", [booking["booking"] for booking in bookings[:40]])


parser = argparse.ArgumentParser()
parser.add_argument("address")
parser.add_argument("folder")
parser.add_argument("--key")
parser.add_argument("--operator")
parser.add_argument("--chats", action="store_true")
arguments = parser.parse_args()
names = ["store", "request-interaction", "request-access", "match-interaction", "app-to-connect-basic"]
lasting = [create_service() for _ in range(3)]
write("names.txt", names)
write("lasting.txt", lasting)
write("names-and-lasting.txt", names + lasting)
write("mortal.txt", [create_service() for _ in range(40)])
if arguments.operator:
    create_catalog()
if arguments.chats:
    write("chats.txt", [start_chat() for _ in range(5)])
    write("mortal-chats.txt", [start_chat() for _ in range(40)])
