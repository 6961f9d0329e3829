// For pages written for Bootstrap 3 or 4: what they say with data-toggle is said with data-bs-toggle.
// Bootstrap listens on the document and looks at the attributes when something is clicked.
(() => {
  "use strict";
  const names = ["toggle", "target", "dismiss", "parent", "ride", "slide", "slide-to", "spy", "offset", "placement", "content", "backdrop", "keyboard"];

  function rename(element) {
    for (const name of names) {
      const value = element.getAttribute(`data-${name}`);
      if (value !== null && !element.hasAttribute(`data-bs-${name}`)) {
        element.setAttribute(`data-bs-${name}`, value);
      }
    }
  }

  document.querySelectorAll("[data-toggle], [data-dismiss], [data-ride], [data-slide], [data-slide-to], [data-spy]").forEach(rename);

  // The parts of Bootstrap 3's components that have no class of their own there, and need one now.
  for (const [selector, name] of [
    [".nav > li", "nav-item"],
    [".nav > li > a", "nav-link"],
    [".dropdown-menu > li > a", "dropdown-item"],
    [".dropdown-menu > li.divider", "dropdown-divider"],
    [".pagination > li", "page-item"],
    [".pagination > li > a, .pagination > li > span", "page-link"],
    [".breadcrumb > li", "breadcrumb-item"],
    [".carousel-inner > .item", "carousel-item"],
    ["table.table-condensed", "table-sm"],
  ]) {
    document.querySelectorAll(selector).forEach((element) => element.classList.add(name));
  }
  for (const item of document.querySelectorAll(".nav > li.active > a")) item.classList.add("active");
})();
