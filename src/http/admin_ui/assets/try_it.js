// Try it: sends what is filled in, and shows it as it went over the wire.
"use strict";

const form = document.getElementById("try");
const show = (id, text) => { document.getElementById(id).textContent = text; };
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

// Pairs of fields that stand in one row, those whose name is filled in.
function rows(kind) {
  const fields = [...form.querySelectorAll(`[data-${kind}]`)];
  const found = [];
  for (let at = 0; at + 1 < fields.length; at += 2) if (fields[at].value) found.push([fields[at].value, fields[at + 1]]);
  return found;
}

// The request, for the browser, for people, and for curl.
function made() {
  const method = form.dataset.method;
  let path = form.dataset.path;
  for (const place of form.querySelectorAll("[data-place]")) {
    const rest = place.dataset.place === "request" ? place.value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(place.value);
    path = path.replace(`{${place.dataset.place}}`, () => rest);
  }
  const headers = new Headers();
  for (const header of form.querySelectorAll("[data-header]")) if (header.value) headers.set(header.dataset.header, header.value);
  const [user, password] = ["user", "user-password"].map((id) => document.getElementById(id).value);
  const curl = [`curl -i -X ${method} ${quoted(location.origin + path)}`];
  for (const [name, value] of headers) curl.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (user || password) {
    const bytes = new TextEncoder().encode(`${user}:${password}`);
    headers.set("authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
    curl.push(`-u ${quoted(`${user}:${password}`)}`);
  }
  const pairs = rows("pair").map(([name, field]) => [name, field.value]);
  const files = rows("file").filter(([, field]) => field.files.length).map(([name, field]) => [name, field.files[0]]);
  const format = document.getElementById("format")?.value;
  let body, told = "";
  if (format === "application/json") {
    body = told = JSON.stringify(Object.fromEntries(pairs), null, 1);
    headers.set("content-type", format);
    curl.push(`-H 'content-type: ${format}'`, `-d ${quoted(body)}`);
  } else if (format === "multipart/form-data") {
    body = new FormData();
    for (const [name, value] of pairs) {
      body.append(name, value);
      curl.push(`--form-string ${quoted(`${name}=${value}`)}`);
    }
    for (const [name, file] of files) {
      body.append(name, file);
      curl.push(`-F ${quoted(`${name}=@${file.name}${file.type ? `;type=${file.type}` : ""}`)}`);
    }
    told = [...pairs.map(([name, value]) => `${name}: ${value}`), ...files.map(([name, file]) => `${name}: file ${file.name}, ${file.size} bytes`)].join("\n");
  } else if (format) {
    body = new URLSearchParams(pairs);
    told = body.toString();
    for (const [name, value] of pairs) curl.push(`--data-urlencode ${quoted(`${name}=${value}`)}`);
  }
  const shown = [...headers].map(([name, value]) => `${name}: ${value}`);
  return { path, init: { method, headers, body, credentials: "omit", redirect: "manual", cache: "no-store" }, told: [`${method} ${path}`, ...shown, "", told].join("\n").trim(), curl: curl.join(" \\\n  ") };
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  document.getElementById("before").hidden = true;
  document.getElementById("exchange").hidden = false;
  document.getElementById("after").textContent = "";
  for (const id of ["request", "curl", "took", "answer-headers", "answer-body"]) show(id, "");
  show("status", "On its way…");
  try {
    const request = made();
    show("request", request.told);
    show("curl", request.curl);
    const began = performance.now();
    const answer = await fetch(request.path, request.init);
    const bytes = await answer.arrayBuffer();
    show("took", `in ${(performance.now() - began).toFixed(1)} ms`);
    show("answer-headers", [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n"));
    const kind = answer.headers.get("content-type") ?? "";
    const text = new TextDecoder().decode(bytes);
    let body = /json|text|xml|toml/.test(kind) ? text : `${bytes.byteLength} bytes`;
    if (kind.includes("json")) {
      try {
        const told = JSON.parse(text);
        body = JSON.stringify(told, null, 2);
        if (typeof told._id === "string") lookAt(told._id);
      } catch { /* It is shown as it came. */ }
    }
    show("answer-body", body);
    show("status", `${answer.status} ${answer.statusText}`);
  } catch (error) {
    show("status", `No answer: ${error.message}`);
  }
});

// Where the service that was made can be looked at, and tried further.
function lookAt(id) {
  const link = (text, place) => Object.assign(document.createElement("a"), { textContent: text, href: `/genesys/1/admin/ui/${place}` });
  const after = document.getElementById("after");
  after.append(link("Look at this service", `active-services/${encodeURIComponent(id)}`), " · ", link("Try its storage", `try?operation=writeStorage&id=${encodeURIComponent(id)}`));
}
