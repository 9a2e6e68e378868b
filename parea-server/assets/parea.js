// Everything here is a convenience: without it the pages work by links and forms alone.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  // Colours: before the first paint, so that nothing flashes.
  // The first click always changes something.
  const themes = matchMedia("(prefers-color-scheme: dark)").matches ? ["", "light", "dark"] : ["", "dark", "light"];
  const remembered = () => { try { return localStorage.getItem("theme") || ""; } catch { return ""; } };
  const paint = (theme) => { theme ? root.dataset.theme = theme : delete root.dataset.theme; };
  paint(remembered());

  const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const near = (age) => {
    if (age < -60) return null;
    if (age < 10) return "now";
    for (const [limit, unit, sign] of [[60, 1, "s"], [3600, 60, "m"], [86400, 3600, "h"], [604800, 86400, "d"]]) {
      if (age < limit) return `${Math.floor(age / unit)}${sign} ago`;
    }
    return null;
  };
  const tell = (scope) => {
    for (const time of scope.querySelectorAll("time")) {
      const moment = new Date(time.dateTime);
      if (isNaN(moment)) continue;
      const text = zoned.format(moment);
      if (time.classList.contains("absolute")) { time.textContent = text; continue; }
      time.title = text;
      time.textContent = near((Date.now() - moment) / 1000) || time.textContent;
    }
  };

  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      // Without a secure context there is no clipboard to write to; a selection still has one.
      const field = document.createElement("textarea");
      field.value = button.dataset.copy;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    const before = button.textContent;
    button.textContent = "copied";
    setTimeout(() => { button.textContent = before; }, 1200);
  };

  // One trace: a click swaps the pane; the address stays that of the whole page.
  const spans = () => {
    const pane = document.getElementById("span");
    const rows = [...document.querySelectorAll("[role=treeitem]")];
    let turn = 0;
    const mark = (at) => {
      for (const row of document.querySelectorAll("[aria-selected=true]")) row.setAttribute("aria-selected", "false");
      rows.forEach((row, n) => { row.tabIndex = n === at ? 0 : -1; });
      rows[at].setAttribute("aria-selected", "true");
      rows[at].scrollIntoView({ block: "nearest" });
    };
    const find = (href) => rows.findIndex((row) => row.href === href);
    const open = async (href, push) => {
      const at = find(href);
      if (at < 0) { location.href = href; return; }
      mark(at);
      if (push) history.pushState(null, "", href);
      const mine = ++turn;
      try {
        const answer = await fetch(href + "&part=span", { credentials: "same-origin" });
        if (!answer.ok) throw new Error(answer.statusText);
        const html = await answer.text();
        // A later click may have overtaken this answer.
        if (mine !== turn) return;
        pane.innerHTML = html;
        pane.scrollTop = 0;
        tell(pane);
      } catch { location.href = href; }
    };
    const selected = () => rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    const start = rows[selected()];
    addEventListener("click", (event) => {
      const link = event.target.closest("[role=treeitem], a[data-span]");
      if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      open(link.href, true);
    });
    addEventListener("popstate", () => open(find(location.href) < 0 && start ? start.href : location.href, false));
    if (start) { mark(rows.indexOf(start)); }
    return (step) => {
      const link = pane.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]");
      const row = rows[selected() + step];
      if (row) { open(row.href, true); if (document.activeElement.closest("[role=tree]")) row.focus(); }
      else if (link) open(link.href, true);
    };
  };

  // The list: the focus is the cursor.
  const list = () => {
    const rows = [...document.querySelectorAll("a.row")];
    const form = document.querySelector(".filters");
    form.addEventListener("change", () => form.requestSubmit());
    // An empty choice need not stand in the address.
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.value === "") field.disabled = true;
    });
    addEventListener("pageshow", () => { for (const field of form.elements) field.disabled = false; });
    setInterval(() => tell(document), 30000);
    return (step) => {
      const at = rows.indexOf(document.activeElement);
      const row = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step];
      if (row) { row.focus(); row.scrollIntoView({ block: "nearest" }); }
    };
  };

  addEventListener("DOMContentLoaded", () => {
    tell(document);
    document.getElementById("theme").addEventListener("click", () => {
      const theme = themes[(themes.indexOf(remembered()) + 1) % themes.length];
      try { localStorage.setItem("theme", theme); } catch { /* then it lasts as long as the page */ }
      paint(theme);
    });
    addEventListener("click", (event) => {
      const button = event.target.closest("[data-copy]");
      if (button) copy(button);
    });
    const field = document.querySelector(".find [name=q]");
    if (field) addEventListener("keydown", (event) => {
      if (event.metaKey || event.ctrlKey || event.altKey) return;
      if (event.key === "Escape" && event.target === field) field.blur();
      if (event.key !== "/" || event.target.closest?.("input, select, textarea")) return;
      event.preventDefault();
      field.select();
    });
    const trace = document.body.classList.contains("trace");
    const move = trace ? spans() : document.querySelector(".filters") ? list() : null;
    if (!move) return;
    const keys = { j: 1, k: -1, ...(trace && { ArrowDown: 1, ArrowUp: -1 }) };
    addEventListener("keydown", (event) => {
      const step = keys[event.key];
      const arrow = event.key.startsWith("Arrow");
      if (!step || event.metaKey || event.ctrlKey || event.altKey) return;
      if (event.target.closest?.("input, select, textarea") || (arrow && !event.target.closest?.("[role=tree]"))) return;
      event.preventDefault();
      move(step);
    });
  });
})();
