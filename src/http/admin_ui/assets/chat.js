// Parts of both chat pages: the transcript, and the form that sends messages. All content is set as text.
"use strict";

// The number of rows in the document. Older ones are removed, and can be loaded again.
const MAX_ROWS = 400;
// The same while the user reads older rows.
const MAX_ROWS_SCROLLED = 5000;
// The number of positions that are loaded at once.
const EARLIER_ROWS = 200;
const MAX_ANNOUNCED_CHARACTERS = 300;
const TYPING_TIMEOUT_MS = 5000;

const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

// An element with a class and a text. Texts of clients have the direction of their own letters.
function chatElement(name, className, text) {
  const element = document.createElement(name);
  element.className = className;
  element.dir = "auto";
  element.textContent = text;
  return element;
}

// The transcript of one chat. New rows are appended; the scroll position stays unless it is at the end.
class ChatTranscript {
  // `readAfter(position)` returns a promise of the chat object with the events after a position; `isOwn(party)` says
  // whether an event is that of the user of the page.
  constructor(root, { readAfter, isOwn }) {
    this.rows = root.querySelector("[data-rows]");
    this.earlier = root.querySelector("[data-earlier]");
    this.latest = root.querySelector("[data-latest]");
    this.announcement = root.querySelector("[data-announcement]");
    this.typing = root.querySelector("[data-typing]");
    Object.assign(this, { readAfter, isOwn });
    this.earlier.addEventListener("click", () => this.loadEarlier());
    this.latest.addEventListener("click", () => { this.scrollToEnd(); this.rows.focus(); });
    this.rows.addEventListener("scroll", () => { if (this.isAtEnd()) this.latest.hidden = true; }, { passive: true });
    this.reset(0);
  }

  // Removes all rows. The next ones begin after `position`.
  reset(position) {
    this.rows.replaceChildren();
    // The positions of the first row in the document and of the last event.
    this.first = position + 1;
    this.last = position;
    this.typists = new Set();
    this.showTyping();
    this.announcement.textContent = "";
    this.latest.hidden = true;
    this.earlier.hidden = position === 0;
  }

  isAtEnd() {
    return this.rows.scrollHeight - this.rows.scrollTop - this.rows.clientHeight < 40;
  }

  scrollToEnd() {
    this.rows.scrollTop = this.rows.scrollHeight;
    this.latest.hidden = true;
  }

  // Appends the events of a chat object that are not shown yet. Returns the messages and notices among them.
  append(chat) {
    const before = chat.transcriptPosition - chat.transcriptToShow.length;
    // Events after a gap arrive again, without it.
    if (before > this.last) return [];
    const wasAtEnd = this.isAtEnd();
    const isLive = this.rows.childElementCount > 0;
    const events = this.positioned(chat).filter(([position]) => position > this.last);
    const added = events.map(([position, event]) => this.row(chat, position, event)).filter(Boolean);
    for (const [, [name, nickname, , , party]] of events) this.noteTyping(name, nickname, party);
    this.last = Math.max(this.last, chat.transcriptPosition);
    this.rows.append(...added);
    this.trim(wasAtEnd ? MAX_ROWS : MAX_ROWS_SCROLLED);
    this.showTyping();
    if (wasAtEnd) this.scrollToEnd();
    else if (added.length) this.latest.hidden = false;
    if (isLive) this.announce(added);
    return added;
  }

  // The events of a chat object with their positions.
  positioned(chat) {
    const before = chat.transcriptPosition - chat.transcriptToShow.length;
    return chat.transcriptToShow.map((event, index) => [before + index + 1, event]);
  }

  // The element of an event; none for typing.
  row(chat, position, [name, nickname, text, seconds, party]) {
    if (name.startsWith("Notice.Typing")) return null;
    const isMessage = name === "Message.Text";
    const row = document.createElement("li");
    row.dataset.position = position;
    row.className = isMessage ? "message" : "notice";
    if (this.isOwn(party, nickname)) row.classList.add("own");
    const time = new Date(Date.parse(chat.startedAt) + Number(seconds) * 1000);
    const head = document.createElement("span");
    head.className = "head";
    head.append(chatElement("bdi", "nickname", nickname), " ");
    if (!isMessage) head.append(text, " ");
    const clock = document.createElement("time");
    clock.dateTime = time.toISOString();
    clock.textContent = clockFormat.format(time);
    head.append(clock);
    row.append(head);
    if (isMessage) row.append(chatElement("p", "text", text));
    return row;
  }

  // Removes the oldest rows above the limit.
  trim(limit) {
    const excess = this.rows.childElementCount - limit;
    if (excess <= 0) return;
    const { scrollHeight, scrollTop } = this.rows;
    for (let removed = 0; removed < excess; removed += 1) this.rows.firstElementChild.remove();
    this.rows.scrollTop = scrollTop + this.rows.scrollHeight - scrollHeight;
    this.first = Number(this.rows.firstElementChild.dataset.position);
    this.earlier.hidden = false;
  }

  // Loads the rows before the first one. The response may have fewer events than are missing.
  async loadEarlier() {
    const { first } = this;
    let position = Math.max(0, first - 1 - EARLIER_ROWS);
    const start = position;
    const added = [];
    this.earlier.disabled = true;
    try {
      while (position < first - 1) {
        const chat = await this.readAfter(position);
        if (chat.transcriptPosition <= position || this.first !== first) break;
        const missing = this.positioned(chat).filter(([at]) => at > position && at < first);
        added.push(...missing.map(([at, event]) => this.row(chat, at, event)).filter(Boolean));
        position = chat.transcriptPosition;
      }
      if (this.first === first) this.prepend(added, start);
    } finally {
      this.earlier.disabled = false;
    }
  }

  prepend(added, start) {
    const { scrollHeight, scrollTop } = this.rows;
    this.rows.prepend(...added);
    this.rows.scrollTop = scrollTop + this.rows.scrollHeight - scrollHeight;
    this.first = start + 1;
    this.earlier.hidden = start === 0;
    if (start === 0) this.rows.focus();
  }

  noteTyping(name, nickname, party) {
    if (this.isOwn(party, nickname)) return;
    if (name === "Notice.TypingStarted") this.typists.add(nickname);
    else this.typists.delete(nickname);
  }

  showTyping() {
    const names = [...this.typists].join(", ");
    const text = names && `${names} ${this.typists.size > 1 ? "are" : "is"} typing…`;
    if (this.typing.textContent !== text) this.typing.textContent = text;
  }

  // Screen readers announce the new messages of others, not those that were loaded.
  announce(rows) {
    const others = rows.filter((row) => !row.classList.contains("own"));
    const texts = others.map((row) => [...row.querySelectorAll(".nickname, .text")].map((part) => part.textContent.slice(0, MAX_ANNOUNCED_CHARACTERS)).join(": "));
    if (texts.length) this.announcement.textContent = texts.slice(-3).join("; ");
  }
}

// The form that sends messages. Enter sends, Shift and Enter begins a line.
class ChatComposer {
  // `send(text)` and `setTyping(isTyping)` return promises.
  constructor(form, { send, setTyping }) {
    this.form = form;
    this.input = form.querySelector("textarea");
    this.problem = form.querySelector("[data-problem]");
    Object.assign(this, { send, setTyping });
    this.isTyping = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => this.noteInput());
  }

  reset() {
    clearTimeout(this.timer);
    if (this.isTyping) this.setTyping(false).catch(() => {});
    this.isTyping = false;
    this.input.value = "";
    this.showProblem("");
  }

  showProblem(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  async submit() {
    const text = this.input.value;
    if (!text.trim() || this.isSending) return;
    this.isSending = true;
    clearTimeout(this.timer);
    // A message stops typing.
    this.isTyping = false;
    try {
      await this.send(text);
      if (this.input.value === text) this.input.value = "";
      this.showProblem("");
    } catch (error) {
      this.showProblem(`Not sent: ${error.message}`);
    } finally {
      this.isSending = false;
    }
  }

  noteInput() {
    clearTimeout(this.timer);
    this.changeTyping(this.input.value !== "");
    this.timer = setTimeout(() => this.changeTyping(false), TYPING_TIMEOUT_MS);
  }

  changeTyping(isTyping) {
    if (this.isTyping === isTyping) return;
    this.isTyping = isTyping;
    // The next notice corrects one that was lost.
    this.setTyping(isTyping).catch(() => {});
  }
}

// The JSON of a response. An error has the message of the server.
async function chatResponse(response) {
  const text = await response.text();
  let body = {};
  try { body = JSON.parse(text); } catch { /* An error of a proxy is not JSON. */ }
  if (response.ok) return body;
  throw Object.assign(new Error(body.message ?? `${response.status} ${response.statusText}`), { status: response.status });
}
