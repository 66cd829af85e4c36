// The lifecycle of a service with files, by the generated client.
import createClient from "openapi-fetch";
import type { paths } from "./client.js";

const PICTURE = Uint8Array.from({ length: 256 }, (_, index) => index);
const DOCUMENT = new TextEncoder().encode("%PDF-1.7\r\n\0");

/** A multipart body of these fields and one file. */
function multipart(name: string, content: Uint8Array<ArrayBuffer>, type: string) {
  return (fields: Record<string, unknown> | undefined) => {
    const form = new FormData();
    for (const [field, value] of Object.entries(fields ?? {})) form.set(field, String(value));
    form.set(name, new Blob([content], { type }), `${name}.bin`);
    return form;
  };
}

function check(isMet: boolean, problem: string) {
  if (!isMet) throw new Error(problem);
}

/** Returns the data of a response, which must be successful. */
function data<T>(result: { data?: T; error?: unknown; response: Response }): T {
  const { status } = result.response;
  if (status !== 200 || result.data === undefined) throw new Error(`${status} ${JSON.stringify(result.error)}`);
  return result.data;
}

/** Creates a service, reads it, uploads and downloads files, and deletes it. */
export async function useService(baseUrl: string) {
  const client = createClient<paths>({ baseUrl });
  const created = await client.POST("/genesys/1/service/{service}", {
    params: { path: { service: "store" } },
    body: { _ttl: 60, Key1: "Value1" },
    bodySerializer: multipart("Picture", PICTURE, "image/png"),
  });
  const { _id: id } = data(created);
  if (id === undefined) throw new Error("the response has no id");
  const params = { path: { id } };

  const strings = data(await client.GET("/genesys/1/service/{id}/storage", { params }));
  check(JSON.stringify(strings) === '{"Key1":"Value1"}', `strings: ${JSON.stringify(strings)}`);

  const written = await client.POST("/genesys/1/service/{id}/storage", {
    params,
    body: { Key2: "Value2" },
    bodySerializer: multipart("Document", DOCUMENT, "application/pdf"),
  });
  check(written.response.status === 200, `write: ${written.response.status}`);
  for (const [key, expected] of [["Picture", PICTURE], ["Document", DOCUMENT]] as const) {
    const read = await client.GET("/genesys/1/service/{id}/storage/binary/{key}", {
      params: { path: { id, key } },
      parseAs: "arrayBuffer",
    });
    const bytes = new Uint8Array(data(read));
    check(String(bytes) === String(expected), `${key}: ${bytes}`);
  }

  const deleted = await client.DELETE("/genesys/1/service/{service}", {
    params: { path: { service: id } },
    parseAs: "text",
  });
  check(deleted.response.status === 200, `delete: ${deleted.response.status}`);
  const gone = await client.GET("/genesys/1/service/{id}/storage", { params });
  check(gone.error?.exception === "ServiceNotFound", `after the delete: ${JSON.stringify(gone.error)}`);
}
