// What pages do beside being read. Everything else works without it.
"use strict";

// Times in the reader's zone; what they are exactly stays on the title.
const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
function tellTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = shown.format(moment);
  }
}
tellTimes(document);

// What is live: the server tells it anew, already escaped, as it told the page.
for (const live of document.querySelectorAll("[data-live]")) {
  const pause = document.querySelector(`[data-pause="${live.id}"]`);
  const place = document.querySelector(`[data-state="${live.id}"]`);
  let source, told, again, isPaused = false;
  // It is read out when it changes.
  const state = (text) => {
    if (place.textContent !== text) place.textContent = text;
  };
  const tellState = () =>
    state(live.querySelector("[data-stale]") ? "Not live: Redis is unavailable." : "Live.");
  const isMarked = () => {
    const marked = getSelection();
    return !marked.isCollapsed && marked.containsNode(live, true);
  };
  const show = (event) => {
    // Who marks text to copy it goes on.
    if (isMarked()) return state("Not updated while text in it is marked.");
    // What is the same is not read out again.
    if (event.data === told) return tellState();
    told = event.data;
    // Who is at a link stays there.
    const at = live.contains(document.activeElement) && document.activeElement.getAttribute("href");
    live.innerHTML = told;
    if (at) live.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
    tellTimes(live);
    tellState();
  };
  const end = (event) => {
    source.close();
    const wasHere = document.activeElement === pause || live.contains(document.activeElement);
    live.innerHTML = event.data;
    pause.hidden = true;
    state("");
    if (wasHere) live.querySelector("a").focus();
  };
  const listen = () => {
    source = new EventSource(live.dataset.live);
    // What it is then, the first event tells.
    source.onopen = () => { if (!told) tellState(); };
    source.onmessage = show;
    source.addEventListener("over", end);
    source.onerror = () => {
      state("Not live at the moment; trying again.");
      // A browser does not ask again by itself after an answer that is none of events.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(listen, 5000);
    };
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on updating" : "Pause updates";
    if (!isPaused) return listen();
    clearTimeout(again);
    source.close();
    state("Paused.");
  });
  listen();
}

// Buttons that copy what they name.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  const copied = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject();
  copied.then(
    () => { button.textContent = "Copied"; },
    () => { button.textContent = "Cannot copy here"; },
  );
});

// A file that fills a text field, so that what is sent can be looked at first.
for (const file of document.querySelectorAll("input[type=file][data-into]")) {
  file.addEventListener("change", async () => {
    if (file.files.length) document.getElementById(file.dataset.into).value = await file.files[0].text();
  });
}
