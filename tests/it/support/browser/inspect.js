// Inspects a page; returns its problems as texts.
const problems = [];

// Every field has a label; every button and link has a text.
for (const field of document.querySelectorAll("input, select, textarea")) {
  if (field.type === "hidden") continue;
  if (!field.labels?.length && !field.getAttribute("aria-label")) problems.push(`no label: ${field.outerHTML.slice(0, 120)}`);
}
for (const control of document.querySelectorAll("button, a[href], summary")) {
  if (!control.textContent.trim() && !control.getAttribute("aria-label")) problems.push(`no name: ${control.outerHTML.slice(0, 120)}`);
}
if (document.querySelectorAll("h1").length !== 1) problems.push("expected one h1");
const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) problems.push(`duplicate id: ${id}`);

// Text has a contrast of at least 4.5 to 1, or 3 to 1 if it is large (WCAG 2.2, AA).
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = (color) => {
  const [r, g, b] = channels(color).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    const [, , , alpha = 1] = channels(color);
    if (alpha > 0) return color;
  }
  return "rgb(255, 255, 255)";
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const checked = new Set();
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || checked.has(element)) continue;
  checked.add(element);
  const style = getComputedStyle(element);
  if (!element.checkVisibility() || element.closest(".skip, script, style, svg")) continue;
  const [one, other] = [luminance(style.color), luminance(background(element))].sort((a, b) => b - a);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  const ratio = (one + 0.05) / (other + 0.05);
  if (ratio < (large ? 3 : 4.5)) problems.push(`contrast ${ratio.toFixed(2)}: ${element.tagName} ${element.textContent.trim().slice(0, 60)}`);
}

// Nothing is wider than the window, except for elements that scroll.
const width = document.documentElement.scrollWidth;
if (width > innerWidth) {
  const wide = [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide, pre"));
  problems.push(`${width} px wide in a window of ${innerWidth} px: ${wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 100)).join(" | ")}`);
}

// No injected content is part of the page.
if (window.ran) problems.push("injected code has run");
if (document.querySelector("main script, main iframe, main object, main [onerror], main img[src='x']")) problems.push("injected content is part of the page");
for (const loaded of performance.getEntriesByType("resource")) {
  if (new URL(loaded.name).origin !== location.origin) problems.push(`loaded from another origin: ${loaded.name}`);
}
return problems;
