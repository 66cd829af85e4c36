"""Makes services for schemathesis to ask about, and tells their ids as its dictionaries.

seed.py ADDRESS FOLDER [KEY]
"""

import json
import sys
import urllib.request
from pathlib import Path

PART = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'


def make(address):
    """A service that holds the string Key1 and the binary MyPic.png."""
    parts = PART.format("Key1", "", "Value1"), PART.format("MyPic.png", '; filename="MyPic.png"', "12345")
    body = "".join(f"--b\r\n{part}" for part in parts) + "--b--\r\n"
    request = urllib.request.Request(
        f"http://{address}/genesys/1/service/store",
        body.encode(),
        {"Content-Type": "multipart/form-data; boundary=b"} | {"x-api-key": key for key in sys.argv[3:]},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["_id"]


def write(path, entries):
    path.write_text("".join(f'"{entry}"\n' for entry in entries))


address, folder = sys.argv[1], Path(sys.argv[2])
names = ["store", "request-interaction", "request-access", "match-interaction", "app-to-connect-basic"]
lasting = [make(address) for _ in range(3)]
write(folder / "names.txt", names)
write(folder / "lasting.txt", lasting)
write(folder / "names-and-lasting.txt", names + lasting)
write(folder / "mortal.txt", [make(address) for _ in range(40)])
