// The lists of open chats on the page Chats: one entry per chat, which is changed in place.
"use strict";

// A setting that is kept in this browser.
function keptCheckbox(id, onChange) {
  const box = document.getElementById(id);
  const name = `switchboard.chats.${id}`;
  let kept = null;
  try { kept = localStorage.getItem(name); } catch { /* Storage can be blocked. */ }
  if (kept !== null) box.checked = kept === "true";
  box.addEventListener("change", () => {
    try { localStorage.setItem(name, String(box.checked)); } catch { /* It then counts for this page. */ }
    onChange(box.checked);
  });
  return box;
}

// Sets or removes a query parameter of the URL of the page.
function setUrlParameter(name, text) {
  const url = new URL(location.href);
  if (text) url.searchParams.set(name, text);
  else url.searchParams.delete(name);
  history.replaceState(null, "", url);
}

let audio;
// A short tone. Browsers allow it after the first click or key on the page.
function playSound() {
  audio ??= new AudioContext();
  const [tone, volume, now] = [audio.createOscillator(), audio.createGain(), audio.currentTime];
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.15, now);
  volume.gain.exponentialRampToValueAtTime(0.001, now + 0.4);
  tone.connect(volume).connect(audio.destination);
  tone.start(now);
  tone.stop(now + 0.4);
}

class ChatList {
  // `select(id)` is called when the user selects a chat; `agent` is the user name of the session.
  constructor(root, { agent, select }) {
    this.lists = { waiting: root.querySelector("#waiting"), active: root.querySelector("#active") };
    this.announcement = root.querySelector("#list-announcement");
    Object.assign(this, { agent, select });
    // By id: the chat, its element, and the position up to which its messages are read.
    this.entries = new Map();
    this.title = document.title;
    this.isLoaded = false;
    this.sound = keptCheckbox("sound", (isOn) => { if (isOn) playSound(); });
    this.count = keptCheckbox("count", () => this.showCounts());
    this.search = root.querySelector("#chat-search");
    this.search.value = new URLSearchParams(location.search).get("q") ?? "";
    this.search.addEventListener("input", () => {
      setUrlParameter("q", this.search.value);
      this.showCounts();
    });
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-chat]");
      if (button) this.select(button.dataset.chat);
    });
  }

  chat(id) {
    return this.entries.get(id)?.chat;
  }

  // Replaces the lists. Chats that are not in it have ended, if it is complete.
  replace(chats, isComplete) {
    const ids = new Set(chats.map((chat) => chat.id));
    if (isComplete) for (const id of [...this.entries.keys()]) if (!ids.has(id)) this.remove(id);
    const added = chats.filter((chat) => this.put(chat) && chat.state === "waiting");
    if (this.isLoaded) this.notify(added);
    this.isLoaded = true;
    this.showCounts();
  }

  // Adds or changes a chat of an event.
  update(chat) {
    const isWaiting = this.chat(chat.id)?.state === "waiting";
    this.put(chat);
    if (chat.state === "waiting" && !isWaiting) this.notify([chat]);
    this.showCounts();
  }

  // Returns whether the chat is new.
  put(chat) {
    let entry = this.entries.get(chat.id);
    const isNew = !entry;
    if (isNew) {
      entry = { element: this.element(chat), read: chat.transcriptPosition, unread: 0 };
      this.entries.set(chat.id, entry);
    }
    const before = entry.chat;
    entry.chat = chat;
    if (before?.state !== chat.state) this.place(entry);
    if (JSON.stringify(before?.agents) !== JSON.stringify(chat.agents)) this.showAgents(entry);
    return isNew;
  }

  remove(id) {
    this.entries.get(id)?.element.remove();
    this.entries.delete(id);
    this.showCounts();
  }

  // Counts the new messages of the client in a chat that is not selected.
  countMessages(id, chat) {
    const entry = this.entries.get(id);
    if (!entry) return;
    const before = chat.transcriptPosition - chat.transcriptToShow.length;
    const isUnread = ([name, , , , party], index) => before + index + 1 > entry.read && name === "Message.Text" && party === "CLIENT";
    entry.unread += chat.transcriptToShow.filter(isUnread).length;
    entry.read = Math.max(entry.read, chat.transcriptPosition);
    this.showUnread(entry);
  }

  markRead(id, position) {
    const entry = this.entries.get(id);
    if (!entry) return;
    entry.read = Math.max(entry.read, position);
    entry.unread = 0;
    this.showUnread(entry);
  }

  markSelected(id) {
    for (const [other, { element }] of this.entries) {
      if (other === id) element.firstElementChild.setAttribute("aria-current", "true");
      else element.firstElementChild.removeAttribute("aria-current");
    }
  }

  element(chat) {
    const element = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.chat = chat.id;
    const time = document.createElement("time");
    time.dateTime = chat.startedAt;
    time.textContent = clockFormat.format(new Date(chat.startedAt));
    button.append(chatElement("strong", "name", chat.nickname), time, chatElement("span", "unread", ""));
    if (chat.subject) button.append(chatElement("span", "subject", chat.subject));
    button.append(chatElement("span", "faint", chat.definition), chatElement("span", "agents faint", ""));
    element.append(button);
    return element;
  }

  // Moves the element to the list of its state, by the time of the start. It keeps the focus.
  place({ chat, element }) {
    const list = this.lists[chat.state];
    const focused = element.contains(document.activeElement) && document.activeElement;
    let next = null;
    for (let at = list.lastElementChild; at; at = at.previousElementSibling) {
      const other = this.chat(at.firstElementChild.dataset.chat);
      if (other && [other.startedAt, other.id] < [chat.startedAt, chat.id]) break;
      next = at;
    }
    list.insertBefore(element, next);
    if (focused) focused.focus({ preventScroll: true });
  }

  showAgents({ chat, element }) {
    const names = chat.agents.map((name) => (name === this.agent ? "you" : name));
    element.querySelector(".agents").textContent = names.length ? `with ${names.join(", ")}` : "";
  }

  showUnread({ element, unread }) {
    const badge = element.querySelector(".unread");
    badge.textContent = unread ? `${unread} new` : "";
  }

  matches(element, text) {
    const { nickname, subject, definition, agents } = this.chat(element.firstElementChild.dataset.chat);
    return [nickname, subject ?? "", definition, ...agents].some((part) => part.toLowerCase().includes(text));
  }

  // Hides the chats that do not contain the text of the search, and shows how many there are of each state.
  showCounts() {
    const text = this.search.value.trim().toLowerCase();
    for (const list of Object.values(this.lists)) {
      let shown = 0;
      for (const element of list.children) {
        element.hidden = !this.matches(element, text);
        if (!element.hidden) shown += 1;
      }
      const count = list.childElementCount;
      document.getElementById(`${list.id}-count`).textContent = shown < count ? `${shown} of ${count}` : count;
      document.getElementById(`${list.id}-empty`).hidden = count > 0;
    }
    const waiting = this.lists.waiting.childElementCount;
    const title = this.count.checked && waiting ? `(${waiting}) ${this.title}` : this.title;
    if (document.title !== title) document.title = title;
  }

  notify(chats) {
    if (!chats.length) return;
    this.announcement.textContent = chats.length === 1 ? `New chat: ${chats[0].nickname.slice(0, MAX_ANNOUNCED_CHARACTERS)}` : `${chats.length} new chats`;
    if (this.sound.checked) playSound();
  }
}
