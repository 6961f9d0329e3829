// Loads the page again when what it was made of has changed. A part of Vial's development server.
(function () {
  "use strict";
  var script = document.currentScript;
  if (!script || window.__vialLive) return;
  window.__vialLive = true;

  var stamp = script.dataset.stamp;
  var wasSent = "sent" in script.dataset; // the answer to a form: loading it again would send it again
  var source = null;
  var box = null;

  // A page that came from a cache has an old stamp after loading, too: once is enough.
  function isFirstTimeFor(now) {
    try {
      if (sessionStorage.getItem("vial-live") === now) return false;
      sessionStorage.setItem("vial-live", now);
    } catch (e) {
      // no storage here, in a sandbox
    }
    return true;
  }

  function changed(now) {
    if (now === stamp || !isFirstTimeFor(now)) return;
    if (!wasSent) {
      location.reload();
    } else if ("broken" in script.dataset) {
      location.replace(location.href);
    } else {
      show("The program has changed", "This page answered a form. Load it again to see the change.");
    }
  }

  function connect() {
    if (source || document.visibilityState === "hidden") return;
    source = new EventSource("/__vial__/live");
    source.addEventListener("stamp", function (event) { changed(event.data); });
    source.addEventListener("problem", function (event) {
      var problem = JSON.parse(event.data);
      show(problem.title, problem.text, "The terminal has the traceback.");
    });
    source.addEventListener("error", function () {
      if (source && source.readyState === EventSource.CLOSED) {
        disconnect();
        setTimeout(connect, 1000);
      }
    });
  }

  // A browser has few connections for one server, and a page that nobody sees needs none.
  function disconnect() {
    if (source) source.close();
    source = null;
  }

  function element(name, text, style) {
    var made = document.createElement(name);
    made.textContent = text;
    Object.keys(style).forEach(function (key) { made.style[key] = style[key]; });
    return made;
  }

  function show(title, text, advice) {
    if (box) box.remove();
    box = document.createElement("vial-live");
    document.documentElement.appendChild(box);
    var card = element("div", "", {
      position: "fixed", right: "16px", bottom: "16px", maxWidth: "min(480px, calc(100vw - 32px))",
      boxSizing: "border-box", padding: "14px 44px 14px 18px", borderRadius: "10px",
      borderLeft: "5px solid #e5484d", background: "#1c1d21", color: "#f2f2f3",
      boxShadow: "0 6px 28px rgba(0,0,0,.35)", zIndex: "2147483647", textAlign: "left",
      font: "14px/1.45 system-ui, sans-serif"
    });
    card.setAttribute("role", "alert");
    card.appendChild(element("div", title, { fontWeight: "600" }));
    card.appendChild(element("div", text, {
      font: "13px/1.45 ui-monospace, monospace", margin: "4px 0", overflowWrap: "anywhere",
      maxHeight: "30vh", overflow: "auto", color: "#ffb3b5"
    }));
    if (advice) card.appendChild(element("div", advice, { color: "#a6a7ad" }));
    var close = element("button", "×", {
      position: "absolute", top: "8px", right: "10px", border: "0", background: "none",
      color: "inherit", font: "20px/1 system-ui, sans-serif", cursor: "pointer", padding: "4px"
    });
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", function () { box.remove(); });
    card.appendChild(close);
    // Out of reach of the page's own styles.
    box.attachShadow({ mode: "open" }).appendChild(card);
  }

  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden") disconnect();
    else connect();
  });
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", connect);
  connect();
})();
