// Looks at a page; gives what is wrong with it, in words.
const wrong = [];

// Every field is named by a label, every button and link by its text.
for (const field of document.querySelectorAll("input, select, textarea")) {
  if (field.type === "hidden") continue;
  if (!field.labels?.length && !field.getAttribute("aria-label")) wrong.push(`no label: ${field.outerHTML.slice(0, 120)}`);
}
for (const pressed of document.querySelectorAll("button, a[href], summary")) {
  if (!pressed.textContent.trim() && !pressed.getAttribute("aria-label")) wrong.push(`no name: ${pressed.outerHTML.slice(0, 120)}`);
}
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one heading of the first level");
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push(`id twice: ${id}`);

// Text stands out from what is behind it: 4.5 to 1, or 3 to 1 where it is large (WCAG 2.2, AA).
const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
const luminance = (colour) => {
  const [r, g, b] = channels(colour).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    const [, , , alpha = 1] = channels(colour);
    if (alpha > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || seen.has(element)) continue;
  seen.add(element);
  const style = getComputedStyle(element);
  if (!element.checkVisibility() || element.closest(".skip, script, style, svg")) continue;
  const [one, other] = [luminance(style.color), luminance(ground(element))].sort((a, b) => b - a);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  const ratio = (one + 0.05) / (other + 0.05);
  if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${element.tagName} ${element.textContent.trim().slice(0, 60)}`);
}

// Nothing is wider than the window; what must be wide scrolls by itself.
const width = document.documentElement.scrollWidth;
if (width > innerWidth) {
  const wide = [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide, pre"));
  wrong.push(`${width} wide in ${innerWidth}: ${wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 100)).join(" | ")}`);
}

// Nothing of a stranger's has become part of the page.
if (window.ran) wrong.push("what a stranger wrote has run");
if (document.querySelector("main script, main iframe, main object, main [onerror], main img[src='x']")) wrong.push("what a stranger wrote is part of the page");
for (const loaded of performance.getEntriesByType("resource")) {
  if (new URL(loaded.name).origin !== location.origin) wrong.push(`asked elsewhere: ${loaded.name}`);
}
return wrong;
