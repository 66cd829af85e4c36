"""The lifecycle of a service with files, by the generated client: `use_service`."""

import io

from switchboard_client import Client
from switchboard_client.api.binaries import read_binary
from switchboard_client.api.services import create_service, delete_service
from switchboard_client.api.storage import read_storage, write_storage
from switchboard_client.models import CreateServiceFilesBody, Error, WriteStorageFilesBody
from switchboard_client.types import File

PICTURE = bytes(range(256))
DOCUMENT = b"%PDF-1.7\r\n\0"


def expect(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise SystemExit(f"{what}: expected {expected!r}, got {actual!r}")


def file(name: str, content: bytes, content_type: str) -> File:
    return File(payload=io.BytesIO(content), file_name=name, mime_type=content_type)


def use_service(base_url: str) -> None:
    """Creates a service, reads it, uploads and downloads files, and deletes it."""
    client = Client(base_url=base_url)
    body = CreateServiceFilesBody(field_ttl=60)
    body.additional_properties = {"Picture": file("picture.png", PICTURE, "image/png")}
    fields = create_service.CreateServiceFields.from_dict({"Key1": "Value1"})
    created = create_service.sync(service="store", client=client, body=body, fields=fields)
    service = created.field_id

    strings = read_storage.sync(id=service, client=client)
    expect("strings", strings.to_dict(), {"Key1": "Value1"})

    upload = WriteStorageFilesBody()
    upload.additional_properties = {"Document": file("document.pdf", DOCUMENT, "application/pdf")}
    written = write_storage.sync_detailed(id=service, client=client, body=upload)
    expect("write", written.status_code, 200)
    for key, content in (("Picture", PICTURE), ("Document", DOCUMENT)):
        read = read_binary.sync(id=service, key=key, client=client)
        expect(key, read.payload.read(), content)

    deleted = delete_service.sync_detailed(service=service, client=client)
    expect("delete", deleted.status_code, 200)
    gone = read_storage.sync(id=service, client=client)
    expect("after the delete", isinstance(gone, Error) and gone.exception, "ServiceNotFound")
