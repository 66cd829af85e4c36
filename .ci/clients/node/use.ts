// Uses the types of the client API as an integrator does. Only compiled.
import type { paths } from "./client.js";

type Create = paths["/genesys/1/service/{service}"]["post"];
type Read = paths["/genesys/1/service/{id}/storage/{key}"]["get"];

export const path: Create["parameters"]["path"] = { service: "store" };
export const header: Create["parameters"]["header"] = { "Idempotency-Key": "0123456789abcdef" };
export const body: NonNullable<Create["requestBody"]>["content"]["application/json"] = {
  _ttl: 60,
  Key1: "Value1",
  Key2: { nested: [1, true, null] },
};
export const value: Read["responses"][200]["content"]["text/plain"] = "Value1";
export const strings: Read["responses"][200]["content"]["application/json"] = { Key1: "Value1" };

type Failure = Read["responses"][404]["content"]["application/json"];
export const error: Failure = {
  exception: "KeyNotFound",
  message: "there is no such key",
  code: 404,
  phrase: "Not Found",
};
// @ts-expect-error The status is a number.
export const wrong: Failure["code"] = "404";
