// Light or dark, as the visitor's system is. In the head and not deferred, so that nothing flashes.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function setTheme() {
  document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
}

setTheme();
dark.addEventListener("change", setTheme);
