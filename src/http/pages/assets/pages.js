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
  let source, told, again;
  const state = (text) => {
    const place = live.querySelector("[data-live-state]");
    if (place) place.textContent = text;
  };
  const isMarked = () => {
    const marked = getSelection();
    return !marked.isCollapsed && marked.containsNode(live, true);
  };
  const show = (event) => {
    // What is the same is not read out again, and who marks text to copy it goes on.
    if (event.data === told || isMarked()) return;
    told = event.data;
    // Who is at a link stays there.
    const at = live.contains(document.activeElement) && document.activeElement.getAttribute("href");
    live.innerHTML = told;
    if (at) live.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
    tellTimes(live);
    state("Live.");
  };
  const listen = () => {
    source = new EventSource(live.dataset.live);
    source.onopen = () => state("Live.");
    source.onmessage = show;
    source.addEventListener("over", (event) => {
      source.close();
      pause.hidden = true;
      live.innerHTML = event.data;
    });
    source.onerror = () => {
      state("Not live at the moment; trying again.");
      // A browser does not ask again by itself after an answer that is none of events.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(listen, 5000);
    };
  };
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const isPaused = pause.textContent === "Go on";
    pause.textContent = isPaused ? "Pause" : "Go on";
    if (isPaused) return listen();
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
