// API explorer: sends the request of the form and shows the request and the response.
"use strict";

const form = document.getElementById("try");
const setText = (id, text) => { document.getElementById(id).textContent = text; };
const shellQuote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

// Rows of two inputs, without those whose name is empty.
function rows(kind) {
  const inputs = [...form.querySelectorAll(`[data-${kind}]`)];
  const filled = [];
  for (let i = 0; i + 1 < inputs.length; i += 2) if (inputs[i].value) filled.push([inputs[i].value, inputs[i + 1]]);
  return filled;
}

// The request of the form: for `fetch`, as text, and as a cURL command.
function buildRequest() {
  const method = form.dataset.method;
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("[data-parameter]")) {
    const name = input.dataset.parameter;
    const value = name === "request" ? input.value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(input.value);
    path = path.replace(`{${name}}`, () => value);
  }
  const headers = new Headers();
  for (const input of form.querySelectorAll("[data-header]")) if (input.value) headers.set(input.dataset.header, input.value);
  const [user, password] = ["user", "user-password"].map((id) => document.getElementById(id).value);
  const curl = [`curl -i -X ${method} ${shellQuote(location.origin + path)}`];
  for (const [name, value] of headers) curl.push(`-H ${shellQuote(`${name}: ${value}`)}`);
  if (user || password) {
    const bytes = new TextEncoder().encode(`${user}:${password}`);
    headers.set("authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
    curl.push(`-u ${shellQuote(`${user}:${password}`)}`);
  }
  const fields = rows("field").map(([name, input]) => [name, input.value]);
  const files = rows("file").filter(([, input]) => input.files.length).map(([name, input]) => [name, input.files[0]]);
  const format = document.getElementById("format")?.value;
  let body, bodyText = "";
  if (format === "application/json") {
    body = bodyText = JSON.stringify(Object.fromEntries(fields), null, 1);
    headers.set("content-type", format);
    curl.push(`-H 'content-type: ${format}'`, `-d ${shellQuote(body)}`);
  } else if (format === "multipart/form-data") {
    body = new FormData();
    for (const [name, value] of fields) {
      body.append(name, value);
      curl.push(`--form-string ${shellQuote(`${name}=${value}`)}`);
    }
    for (const [name, file] of files) {
      body.append(name, file);
      curl.push(`-F ${shellQuote(`${name}=@${file.name}${file.type ? `;type=${file.type}` : ""}`)}`);
    }
    bodyText = [...fields.map(([name, value]) => `${name}: ${value}`), ...files.map(([name, file]) => `${name}: file ${file.name}, ${file.size} bytes`)].join("\n");
  } else if (format) {
    body = new URLSearchParams(fields);
    bodyText = body.toString();
    for (const [name, value] of fields) curl.push(`--data-urlencode ${shellQuote(`${name}=${value}`)}`);
  }
  const headerLines = [...headers].map(([name, value]) => `${name}: ${value}`);
  return { path, init: { method, headers, body, credentials: "omit", redirect: "manual", cache: "no-store" }, text: [`${method} ${path}`, ...headerLines, "", bodyText].join("\n").trim(), curl: curl.join(" \\\n  ") };
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  document.getElementById("empty").hidden = true;
  document.getElementById("exchange").hidden = false;
  document.getElementById("links").textContent = "";
  for (const id of ["request", "curl", "duration", "response-headers", "response-body"]) setText(id, "");
  setText("status", "Sending…");
  try {
    const request = buildRequest();
    setText("request", request.text);
    setText("curl", request.curl);
    const start = performance.now();
    const response = await fetch(request.path, request.init);
    const bytes = await response.arrayBuffer();
    setText("duration", `${(performance.now() - start).toFixed(1)} ms`);
    setText("response-headers", [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"));
    const contentType = response.headers.get("content-type") ?? "";
    const text = new TextDecoder().decode(bytes);
    let body = /json|text|xml|toml/.test(contentType) ? text : `${bytes.byteLength} bytes`;
    if (contentType.includes("json")) {
      try {
        const json = JSON.parse(text);
        body = JSON.stringify(json, null, 2);
        if (typeof json._id === "string") addServiceLinks(json._id);
        if (typeof json.id === "string") addStorageAreaLinks(json.id);
      } catch { /* Invalid JSON is shown unformatted. */ }
    }
    setText("response-body", body);
    setText("status", `${response.status} ${response.statusText}`);
  } catch (error) {
    setText("status", `Request failed: ${error.message}`);
  }
});

const pageLink = (text, path) => Object.assign(document.createElement("a"), { textContent: text, href: `/genesys/1/admin/ui/${path}` });

// Links to the page of a created service, and to a request that writes to its storage.
function addServiceLinks(id) {
  const links = document.getElementById("links");
  links.append(pageLink("View service", `active-services/${encodeURIComponent(id)}`), " · ", pageLink("Write to its storage", `try?operation=writeStorage&id=${encodeURIComponent(id)}`));
}

// The same for a storage area. A custom id is found by a search, because it belongs to a user.
function addStorageAreaLinks(id) {
  const links = document.getElementById("links");
  links.append(pageLink("View storage area", `active-services?id=${encodeURIComponent(id)}`), " · ", pageLink("Write to it", `try?operation=writeStorageArea&id=${encodeURIComponent(id)}`));
}
