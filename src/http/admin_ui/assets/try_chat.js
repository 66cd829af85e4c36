// Try chat: plays the customer of a chat, with the client API and server-sent events.
"use strict";

const POLL_INTERVAL_MS = 2000;
const startForm = document.getElementById("start");
const startProblem = document.getElementById("start-problem");
const chatSection = document.getElementById("chat");
const chatStatus = document.getElementById("chat-status");
const setChatStatus = (text) => { if (chatStatus.textContent !== text) chatStatus.textContent = text; };
let chatUrl, source, pollTimer, headers, isOver;

// The credentials of the form. `EventSource` cannot send them, so the page then polls.
function readHeaders() {
  const value = (id) => document.getElementById(id).value;
  headers = new Headers();
  if (value("api-key")) headers.set("x-api-key", value("api-key"));
  const [user, password] = [value("user"), value("user-password")];
  if (!user && !password) return;
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  headers.set("authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
}

const post = async (path, fields = {}) =>
  chatResponse(await fetch(path, { method: "POST", headers, body: new URLSearchParams(fields), credentials: "omit" }));

const transcript = chatSection && new ChatTranscript(chatSection, {
  readAfter: (position) => post(`${chatUrl}/refresh`, { transcriptPosition: position }),
  isOwn: (party) => party === "CLIENT",
});
const composer = chatSection && new ChatComposer(document.getElementById("composer"), {
  send: (message) => post(`${chatUrl}/send`, { message, transcriptPosition: transcript.last }).then(show),
  setTyping: (isTyping) => post(`${chatUrl}/${isTyping ? "startTyping" : "stopTyping"}`, { transcriptPosition: transcript.last }).then(show),
});

function show(chat) {
  transcript.append(chat);
  if (chat.chatIxnState === "DISCONNECTED") finish("The chat has ended.");
}

function finish(text) {
  isOver = true;
  source?.close();
  clearTimeout(pollTimer);
  setChatStatus(text);
  document.getElementById("composer").hidden = true;
  document.getElementById("end").hidden = true;
  document.getElementById("restart").hidden = false;
}

function listen() {
  if ([...headers].length) return poll();
  source = new EventSource(`${chatUrl}/events?transcriptPosition=${transcript.last}`);
  source.onopen = () => setChatStatus("Connected");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.addEventListener("end", () => finish("The chat has ended."));
  source.onerror = () => {
    if (isOver) return;
    setChatStatus("Connection lost. Reconnecting…");
    // Browsers do not reconnect after a response that is not an event stream.
    if (source.readyState === EventSource.CLOSED) pollTimer = setTimeout(listen, POLL_INTERVAL_MS);
  };
}

async function poll() {
  try {
    show(await post(`${chatUrl}/refresh`, { transcriptPosition: transcript.last }));
    if (!isOver) setChatStatus("Connected (polling)");
  } catch (error) {
    if (error.status === 404) return finish("The service of the chat has expired.");
    setChatStatus(`Connection lost: ${error.message}. Reconnecting…`);
  }
  if (!isOver) pollTimer = setTimeout(poll, POLL_INTERVAL_MS);
}

async function start() {
  const fields = Object.fromEntries(["nickname", "subject"].map((id) => [id, document.getElementById(id).value]));
  const definition = document.getElementById("definition").value;
  const created = await post(`/genesys/1/service/${encodeURIComponent(definition)}`);
  chatUrl = `/genesys/1/service/${encodeURIComponent(created._id)}/ixn/chat`;
  transcript.reset(0);
  composer.reset();
  const parameters = fields.nickname ? { userDisplayName: fields.nickname } : {};
  if (fields.subject) parameters.subject = fields.subject;
  isOver = false;
  for (const [id, path] of [["agent-link", "chats?id="], ["service-link", "active-services/"]]) {
    document.getElementById(id).href = `/genesys/1/admin/ui/${path}${encodeURIComponent(created._id)}`;
  }
  const chat = await post(chatUrl, parameters);
  startForm.hidden = true;
  chatSection.hidden = false;
  for (const [id, isHidden] of [["composer", false], ["end", false], ["restart", true]]) document.getElementById(id).hidden = isHidden;
  show(chat);
  listen();
  composer.input.focus();
}

startForm?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = startForm.querySelector("button.primary");
  button.disabled = true;
  startProblem.hidden = true;
  try {
    readHeaders();
    await start();
  } catch (error) {
    startProblem.textContent = `The chat was not started: ${error.message}`;
    startProblem.hidden = false;
  } finally {
    button.disabled = false;
  }
});

document.getElementById("end")?.addEventListener("click", () =>
  post(`${chatUrl}/disconnect`, { transcriptPosition: transcript.last })
    .then((chat) => { transcript.append(chat); finish("The chat has ended."); document.getElementById("restart").focus(); }, (error) => composer.showProblem(`Not ended: ${error.message}`)));

document.getElementById("restart")?.addEventListener("click", () => {
  chatSection.hidden = true;
  startForm.hidden = false;
  document.getElementById("nickname").focus();
});
