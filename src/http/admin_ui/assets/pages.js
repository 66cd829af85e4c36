// Progressive enhancement of the console. All pages except the API explorer work without it.
"use strict";

// Times in the time zone of the browser; the title keeps the exact time.
const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
function formatTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (!Number.isNaN(time.getTime())) element.textContent = timeFormat.format(time);
  }
}
formatTimes(document);

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
  const updateStatus = () =>
    setStatus(live.querySelector("[data-stale]") ? "Not live: Redis is unavailable" : "Live");
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
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy], button[data-copy-text]");
  if (!button) return;
  const text = button.dataset.copyText ?? document.getElementById(button.dataset.copy).textContent;
  const copied = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject();
  copied.then(
    () => { button.textContent = "Copied"; },
    () => { button.textContent = "Copy failed"; },
  );
});

// Selection of rows: a checkbox for all rows of the page, and the number of selected ones.
for (const all of document.querySelectorAll("input[data-select-all]")) {
  const form = all.form;
  // A box can be outside of its form.
  const boxes = [...form.elements].filter((element) => element.name === "selected");
  const status = form.querySelector("[data-selected-count]");
  const update = () => {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    status.textContent = `${count} selected`;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    update();
  });
  for (const box of boxes) box.addEventListener("change", update);
  all.hidden = boxes.length === 0;
  if (boxes.length) update();
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
