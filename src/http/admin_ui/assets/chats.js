// Chats: lists of open chats, and the selected chat with its transcript and the data of the customer.
"use strict";

const RETRY_MS = 5000;
// The number of positions that are read when a chat is selected.
const FIRST_ROWS = 100;
const MAX_VALUE_CHARACTERS = 16384;
const page = document.getElementById("chats");
const { api, token, agent } = page.dataset;
// The role of a viewer permits no answers.
const isReadOnly = "readOnly" in page.dataset;
const byId = (id) => document.getElementById(id);
const setStatus = (id, text) => { if (byId(id).textContent !== text) byId(id).textContent = text; };
// The selected chat: its id, its stream, whether it has ended.
let selected = null;

async function call(method, path, fields) {
  const init = { method, headers: {}, cache: "no-store" };
  if (fields) {
    init.body = new URLSearchParams(fields);
    init.headers["x-form-token"] = token;
  }
  try {
    return await chatResponse(await fetch(`${api}/${path}`, init));
  } catch (error) {
    if (error.status === 403) expireSession(error.message);
    throw error;
  }
}
const chatPath = (id, rest = "") => `chats/${encodeURIComponent(id)}${rest}`;

function expireSession(message) {
  events.close();
  selected?.stream?.close();
  setStatus("connection", "");
  byId("expired-text").textContent = message;
  byId("expired").hidden = false;
  byId("desk").hidden = true;
}

// A stream with handlers by event name. Browsers do not reconnect after a response that is not an event stream; `check`
// is then called, and the stream is opened again unless it was closed.
class ChatEvents {
  constructor(url, handlers, onState, check) {
    Object.assign(this, { url, handlers, onState, check });
    this.open();
  }

  open() {
    const source = new EventSource(this.url());
    this.source = source;
    source.onopen = () => this.onState("Live");
    for (const [name, handler] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
    source.onerror = () => {
      if (this.isClosed) return;
      this.onState("Connection lost. Reconnecting…");
      if (source.readyState !== EventSource.CLOSED) return;
      this.check();
      this.timer = setTimeout(() => this.open(), RETRY_MS);
    };
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.source.close();
  }
}

const list = new ChatList(page, { agent, select: (id) => select(id).catch(showProblem) });

const transcript = new ChatTranscript(page, {
  readAfter: (position) => call("GET", chatPath(selected.id, `?transcriptPosition=${position}`)),
  isOwn: (party, nickname) => party !== "CLIENT" && nickname === selected?.nickname,
});
const composer = new ChatComposer(byId("composer"), {
  send: (message) => act("send", { message }),
  setTyping: (typing) => act("typing", { typing }),
});

function showProblem(error) {
  composer.showProblem(error.message);
  byId("chat-problem").textContent = error.message;
  byId("chat-problem").hidden = false;
}

// Performs a request on the selected chat, and shows its new events.
async function act(name, fields) {
  const chat = selected;
  const response = await call("POST", chatPath(chat.id, `/${name}`), { ...fields, transcriptPosition: transcript.last });
  byId("chat-problem").hidden = true;
  if (chat === selected) showChat(response);
  return response;
}

// Shows the state of the selected chat and appends its new events.
function showChat(chat) {
  const me = chat.members.find((member) => member.agent === agent);
  selected.nickname = me?.nickname ?? selected.nickname;
  selected.isMember = Boolean(me);
  selected.state = chat.state;
  append(chat);
  showControls();
}

function append(chat) {
  if (!selected) return;
  transcript.append(chat);
  list.markRead(selected.id, transcript.last);
}

function showControls() {
  const { isMember, state } = selected;
  const isOpen = state !== "ended";
  byId("join").hidden = !isOpen || isMember || isReadOnly;
  byId("composer").hidden = !isOpen || !isMember || isReadOnly;
  setStatus("chat-status", isOpen ? (state === "waiting" ? "Waiting" : "Active") : "The chat has ended.");
}

async function select(id) {
  selected?.stream?.close();
  // Sends to the previous chat that typing has stopped.
  composer.reset();
  const chat = { id, state: "waiting" };
  selected = chat;
  list.markSelected(id);
  byId("chat-problem").hidden = true;
  // Until the new chat is shown, nothing can be sent: the previous one is still what the agent sees.
  byId("chat").hidden = true;
  const start = Math.max(0, (list.chat(id)?.transcriptPosition ?? 0) - FIRST_ROWS);
  let detail;
  try {
    detail = await call("GET", chatPath(id, `?transcriptPosition=${start}`));
  } catch (error) {
    if (chat === selected) {
      selected = null;
      byId("no-chat").hidden = false;
    }
    throw error;
  }
  if (chat !== selected) return;
  setUrlParameter("id", id);
  page.classList.add("has-chat");
  byId("chat").hidden = false;
  byId("no-chat").hidden = true;
  byId("chat-name").textContent = detail.nickname;
  byId("chat-subject").textContent = detail.subject;
  transcript.reset(start);
  showChat(detail);
  transcript.scrollToEnd();
  showData(detail);
  byId("chat-name").focus();
  if (detail.chatIxnState !== "DISCONNECTED") openStream(chat);
}

function openStream(chat) {
  const url = () => `${api}/${chatPath(chat.id, `/events?transcriptPosition=${transcript.last}`)}`;
  const onState = (state) => setStatus("chat-connection", state === "Live" ? "" : state);
  chat.stream = new ChatEvents(url, { message: append, end: endChat }, onState, () => checkChat(chat));
}

// The chat has ended, and all its events were received.
function endChat() {
  selected.stream.close();
  selected.state = "ended";
  setStatus("chat-connection", "");
  showControls();
}

// Finds out why the stream of the selected chat cannot be opened.
async function checkChat(chat) {
  try {
    const detail = await call("GET", chatPath(chat.id, `?transcriptPosition=${transcript.last}`));
    if (chat === selected && detail.chatIxnState === "DISCONNECTED") endChat();
  } catch (error) {
    if (chat === selected && error.status === 404) endChat();
  }
}

function showData({ id, userData, files }) {
  const pairs = Object.entries(userData).flatMap(([name, value]) => {
    const rest = value.length - MAX_VALUE_CHARACTERS;
    const text = rest > 0 ? `${value.slice(0, MAX_VALUE_CHARACTERS)}… (${rest} more characters)` : value;
    const shown = chatElement("dd", "value", text);
    // Values can scroll, and the keyboard scrolls what has the focus.
    if (text.length > 80 || text.includes("\n")) shown.tabIndex = 0;
    return [chatElement("dt", "", name), shown];
  });
  byId("user-data").replaceChildren(...pairs);
  byId("no-data").hidden = pairs.length > 0;
  const links = files.map((file) => {
    const item = document.createElement("li");
    // Browsers remove the path segments `.` and `..` even if they are encoded.
    const key = encodeURIComponent(file.name);
    const name = /^\.{1,2}$/.test(file.name) ? `dots?key=${key}` : key;
    const link = chatElement("a", "", file.file_name || file.name);
    link.href = `${page.dataset.api}/chats/${encodeURIComponent(id)}/files/${name}`;
    item.append(link, ` ${file.size} bytes`);
    return item;
  });
  byId("files").replaceChildren(...links);
  byId("no-files").hidden = links.length > 0;
}

// An open chat that has changed.
function changeChat(chat) {
  list.update(chat);
  if (chat.id !== selected?.id) return;
  selected.state = chat.state;
  selected.isMember = chat.agents.includes(agent);
  showControls();
}

// New events of a chat that the agent is in. Those of the selected chat arrive in its own stream.
function countEvents(chat) {
  if (chat.id !== selected?.id) return list.countMessages(chat.id, chat);
  if (chat.clientTyping) transcript.typists.add(chat.nickname);
  else transcript.typists.delete(chat.nickname);
  transcript.showTyping();
}

const availability = isReadOnly ? null : keptCheckbox("available", (available) => setAvailability(available));
const setAvailability = (available) => call("PUT", "availability", { available }).catch(showProblem);

const events = new ChatEvents(() => `${api}/events`, {
  chats: ({ chats, complete }) => { list.replace(chats, complete); list.markSelected(selected?.id); },
  "chat.waiting": changeChat,
  "chat.active": changeChat,
  "chat.ended": ({ id }) => list.remove(id),
  "chat.event": countEvents,
}, (state) => {
  setStatus("connection", state);
  // Availability ends a while after the stream.
  if (state === "Live" && availability?.checked) setAvailability(true);
}, () => call("GET", "chats?limit=1").catch(() => {}));

byId("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = { exclusive: byId("exclusive").checked };
  if (byId("nickname").value.trim()) fields.nickname = byId("nickname").value;
  act("join", fields).then(() => composer.input.focus(), showProblem);
});
for (const name of ["leave", "end"]) {
  byId(name).addEventListener("click", () => act(name, {}).then(() => byId("chat-name").focus(), showProblem));
}
byId("back").addEventListener("click", () => {
  page.classList.remove("has-chat");
  const button = page.querySelector('button[aria-current="true"]') ?? byId("lists");
  button.focus();
});

const linked = new URLSearchParams(location.search).get("id");
if (linked) select(linked).catch(showProblem);
