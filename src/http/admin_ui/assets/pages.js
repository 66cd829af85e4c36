// Progressive enhancement of the console. All pages except the API explorer work without it.
"use strict";

// Times in the time zone of the browser, which each of them names. The title has the distance from now and the exact time.
const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const distanceFormat = new Intl.RelativeTimeFormat(undefined, { style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
function formatDistance(time) {
  const seconds = Math.round((time - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return distanceFormat.format(Math.trunc(seconds / size), unit);
}
function describeTime(element) {
  const time = new Date(element.dateTime);
  if (Number.isNaN(time.getTime())) return;
  element.textContent = timeFormat.format(time);
  element.title = `${formatDistance(time)}, ${element.dateTime}`;
}
function formatTimes(root) {
  for (const element of root.querySelectorAll("[data-times]")) markTimes(element);
  for (const element of root.querySelectorAll("time[datetime]")) describeTime(element);
}
// Times within a text.
function markTimes(element) {
  const nodes = [], walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (!walker.currentNode.parentElement.closest("time")) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const parts = node.data.split(/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/);
    if (parts.length === 1) continue;
    node.replaceWith(...parts.map((part, index) => {
      if (index % 2 === 0) return part;
      const time = document.createElement("time");
      time.dateTime = time.textContent = part;
      return time;
    }));
  }
}
formatTimes(document);
// The distance from now changes while the page is open.
document.addEventListener("mouseover", (event) => {
  const time = event.target.closest("time[datetime]");
  if (time) describeTime(time);
});

// Fields with a time: in UTC without the script, else in the time zone of the browser.
for (const input of document.querySelectorAll("input[data-utc]")) {
  const pad = (number, length = 2) => String(number).padStart(length, "0");
  const time = new Date(`${input.defaultValue}Z`);
  input.labels[0].querySelector("[data-zone]").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!Number.isNaN(time.getTime())) {
    const date = `${pad(time.getFullYear(), 4)}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
    input.value = `${date}T${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
  }
  input.form.addEventListener("formdata", ({ formData }) => {
    if (input.value) formData.set(input.name, new Date(input.value).toISOString().slice(0, 19));
  });
}

// On a narrow screen the menu scrolls.
const currentPage = document.querySelector(".top nav [aria-current]");
if (currentPage) currentPage.closest("nav").scrollLeft = currentPage.offsetLeft - 48;

// Live content: the server sends escaped HTML for each part, rendered from the same template as the page.
for (const live of document.querySelectorAll("[data-live]")) {
  const pause = document.querySelector(`[data-pause="${live.id}"]`);
  const status = document.querySelector(`[data-state="${live.id}"]`);
  const shown = new Map();
  let source, retryTimer, isPaused = false;
  // Screen readers announce each change of the status.
  const setStatus = (text) => {
    if (status.textContent !== text) status.textContent = text;
  };
  const outage = document.querySelector("[data-outage]");
  const updateStatus = () => {
    const isStale = live.querySelector("[data-stale]") !== null;
    // The outage above the live content may have ended.
    if (outage) outage.hidden = !isStale;
    setStatus(isStale ? "Not live: Redis is unavailable" : "Live");
  };
  const hasSelection = () => {
    const selection = getSelection();
    return !selection.isCollapsed && selection.containsNode(live, true);
  };
  const update = (part, event) => {
    // An update would remove the selection.
    if (hasSelection()) return setStatus("Paused while text is selected");
    // Unchanged content is not replaced, so that screen readers do not repeat it.
    if (event.data === shown.get(part)) return updateStatus();
    shown.set(part, event.data);
    // The focused link keeps the focus.
    const href = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.innerHTML = event.data;
    if (href) part.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
    formatTimes(part);
    makeScrollable(part);
    updateStatus();
  };
  const expireSession = (event) => {
    source.close();
    const hadFocus = document.activeElement === pause || live.contains(document.activeElement);
    live.innerHTML = event.data;
    pause.hidden = true;
    setStatus("");
    if (hadFocus) live.querySelector("a").focus();
  };
  const connect = () => {
    source = new EventSource(live.dataset.live);
    // The first event sets the status.
    source.onopen = () => { if (!shown.size) updateStatus(); };
    for (const part of live.querySelectorAll("[data-part]")) {
      source.addEventListener(part.dataset.part, (event) => update(part, event));
    }
    source.addEventListener("session-expired", expireSession);
    source.onerror = () => {
      setStatus("Connection lost. Reconnecting…");
      // Browsers do not reconnect after a response that is not an event stream.
      if (source.readyState === EventSource.CLOSED) retryTimer = setTimeout(connect, 5000);
    };
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Resume updates" : "Pause updates";
    if (!isPaused) return connect();
    clearTimeout(retryTimer);
    source.close();
    setStatus("Paused");
  });
  connect();
}

// Regions that scroll can be focused, so that the keyboard scrolls them in every browser.
function makeScrollable(root) {
  for (const element of root.querySelectorAll("pre, .wide")) {
    if (element.scrollHeight > element.clientHeight || element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  }
}
makeScrollable(document);
addEventListener("resize", () => makeScrollable(document));
// `toggle` does not bubble.
document.addEventListener("toggle", (event) => makeScrollable(event.target), true);

// Copy buttons: `data-copy` is the id of the element to copy, `data-copy-text` the text itself.
for (const button of document.querySelectorAll("button[data-copy-text]")) button.hidden = false;
// Browsers offer the clipboard only over HTTPS and on localhost; the command works everywhere.
function copyWithCommand(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyWithCommand(text);
  }
}
// Screen readers announce the result here: the name of a button can hide its text.
const copyStatus = document.createElement("p");
copyStatus.className = "unseen";
copyStatus.setAttribute("role", "status");
document.querySelector("main").append(copyStatus);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy], button[data-copy-text]");
  if (!button) return;
  const text = button.dataset.copyText ?? document.getElementById(button.dataset.copy).textContent;
  const result = (await copyText(text)) ? "Copied" : "Copy failed";
  button.focus();
  button.textContent = copyStatus.textContent = result;
  setTimeout(() => {
    button.textContent = "Copy";
    copyStatus.textContent = "";
  }, 2000);
});

// Text in the fields for changes of numbers is kept while their table is searched, sorted or paged. The other fields are
// not: their values can be outdated when the page is loaded again, and would undo the changes of another operator.
for (const field of document.querySelectorAll("[data-keep]")) {
  const key = `${location.pathname}#${field.id}`;
  const kept = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  if (kept && field.value === field.defaultValue) field.value = kept;
  const table = document.getElementById(field.dataset.keep);
  const keep = () => {
    if (field.value !== field.defaultValue) sessionStorage.setItem(key, field.value);
  };
  table.addEventListener("submit", (event) => { if (event.target.role === "search") keep(); });
  table.addEventListener("click", (event) => {
    if (event.target.closest("a")?.pathname === location.pathname) keep();
  });
}

// Selection of rows: a checkbox for all rows of the page, the number of selected ones, and the actions on them.
const MAX_URL_LENGTH = 8000;
for (const all of document.querySelectorAll("input[data-select-all]")) {
  const form = all.form;
  // A box can be outside of its form.
  const boxes = [...form.elements].filter((element) => element.name === "row");
  const status = form.querySelector("[data-selected-count]");
  const actions = form.querySelectorAll("button[name=action]");
  const update = () => {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    // Without actions there is no status.
    if (status) status.textContent = `${count} selected`;
    for (const action of actions) action.disabled = count === 0;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    update();
  });
  for (const box of boxes) box.addEventListener("change", update);
  // The server refuses longer URLs, and a proxy might without an explanation.
  form.addEventListener("submit", (event) => {
    const query = new URLSearchParams(new FormData(form, event.submitter));
    // `form.action` is a button.
    if (`${form.getAttribute("action")}?${query}`.length <= MAX_URL_LENGTH) return;
    event.preventDefault();
    status.textContent = "Too many rows for one URL: select fewer";
  });
  all.hidden = boxes.length === 0;
  update();
  // The browser can restore a selection after this script has run.
  addEventListener("pageshow", update);
}

// Fields with several names, separated by commas: the suggestions complete the last one.
for (const input of document.querySelectorAll("input[data-names]")) {
  const options = [...input.list.options];
  const names = options.map((option) => option.value);
  input.addEventListener("input", () => {
    const before = input.value.slice(0, input.value.lastIndexOf(",") + 1);
    options.forEach((option, index) => { option.value = before + names[index]; });
  });
}

// File inputs that load a text file into a text area, for review before it is submitted.
for (const input of document.querySelectorAll("input[type=file][data-into]")) {
  input.addEventListener("change", async () => {
    if (input.files.length) document.getElementById(input.dataset.into).value = await input.files[0].text();
  });
}
