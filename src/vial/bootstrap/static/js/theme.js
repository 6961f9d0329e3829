// Light, dark, or as the visitor's system is. In the head and not deferred, so that nothing flashes.
// <html data-vb-mode> is what the app wants; buttons with data-bs-theme-value change it for this visitor.
(() => {
  "use strict";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const key = "bootstrap-theme";

  const read = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is refused
    }
  };
  const chosen = () => (["light", "dark", "auto"].includes(read()) ? read() : root.dataset.vbMode || "auto");

  function show() {
    const mode = chosen();
    root.dataset.bsTheme = mode === "auto" ? (system.matches ? "dark" : "light") : mode;
    for (const button of document.querySelectorAll("[data-bs-theme-value]")) {
      const isChosen = button.dataset.bsThemeValue === mode;
      button.classList.toggle("active", isChosen);
      button.setAttribute("aria-pressed", String(isChosen));
    }
  }

  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", show);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-bs-theme-value]");
    if (!button) return;
    try {
      localStorage.setItem(key, button.dataset.bsThemeValue);
    } catch {
      root.dataset.vbMode = button.dataset.bsThemeValue;
    }
    show();
  });
})();
