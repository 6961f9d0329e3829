"use strict";
(() => {
  const copy = document.getElementById("copy");
  const plain = document.getElementById("plain");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(plain.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(plain);
      copy.textContent = "Selected: copy it now";
    }
  });

  const { secret, url } = document.body.dataset;
  if (!secret) return;
  const GONE = "The server was restarted. Load this page again.";
  const SAID = {
    gone: "The server has forgotten this traceback. Load this page again.",
    locked: "Too many wrong PINs. The console is locked until the server is started again.",
  };

  async function ask(what) {
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Vial-Debugger": secret },
        body: JSON.stringify(what),
      });
      const is_ours = (answer.headers.get("Content-Type") || "").startsWith("application/json");
      return is_ours ? await answer.json() : { error: GONE };
    } catch {
      return { error: "The server does not answer." };
    }
  }

  function start(place) {
    const fragment = document.getElementById("console").content.cloneNode(true);
    const find = (selector) => place.querySelector(selector);
    place.append(fragment);
    const [inside, output, pin, line] = [".inside", ".output", ".pin", ".line"].map(find);
    const code = line.elements.code;
    const past = [];
    let at = 0;
    let begun = "";

    function write(text, kind) {
      const piece = document.createElement("div");
      piece.className = kind;
      piece.textContent = text;
      output.append(piece);
      output.scrollTop = output.scrollHeight;
    }

    async function run(source) {
      const { text, more, error } = await ask({ frame: place.dataset.frame, code: source });
      if (error === "pin") {
        pin.hidden = false;
        pin.elements.pin.focus();
        pin.onsubmit = (event) => unlock(event, source);
        return;
      }
      begun = more ? `${source}\n` : "";
      find(".prompt").textContent = more ? "..." : ">>>";
      if (error) write(SAID[error] || error, "said");
      else if (text) write(text, "value");
    }

    async function unlock(event, source) {
      event.preventDefault();
      const { error, left } = await ask({ pin: pin.elements.pin.value });
      pin.elements.pin.value = "";
      if (error === "wrong") find(".pin .said").textContent = `Wrong PIN; ${left} more tries.`;
      else if (error) find(".pin .said").textContent = SAID[error] || error;
      else {
        pin.hidden = true;
        code.focus();
        await run(source);
      }
    }

    find(".open").addEventListener("click", () => {
      inside.hidden = !inside.hidden;
      if (!inside.hidden) code.focus();
    });
    line.addEventListener("submit", async (event) => {
      event.preventDefault();
      const typed = code.value;
      code.value = "";
      if (typed) past.push(typed);
      at = past.length;
      write(`${begun ? "..." : ">>>"} ${typed}`, "typed");
      await run(begun + typed);
    });
    code.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      at = Math.min(Math.max(at + step, 0), past.length);
      code.value = past[at] || "";
      event.preventDefault();
    });
  }

  document.querySelectorAll(".place").forEach(start);
})();
