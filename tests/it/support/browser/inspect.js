// Inspects a page with all folds open; returns its problems as texts. axe-core is loaded.
const problems = [];
const folds = [...document.querySelectorAll("details:not([open])")];
for (const fold of folds) fold.open = true;

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

const describe = ({ id, nodes }) => `${id} (${nodes.length}): ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 150)).join(" | ")}`;
// The page handles the events of the folds first.
return new Promise((resolve) => setTimeout(resolve, 50))
  .then(() => axe.run(document, { resultTypes: ["violations"] }))
  .then(({ violations }) => {
    for (const fold of folds) fold.open = false;
    return [...problems, ...violations.map(describe)];
  });
