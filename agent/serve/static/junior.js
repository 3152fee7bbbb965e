// The live night and the chat; everything else works without it. Text goes in by textContent alone.
"use strict";

function liveNight() {
  const box = document.getElementById("live");
  if (!box) return;
  const words = document.getElementById("live-words");
  const bar = document.getElementById("live-bar");
  const done = document.getElementById("live-done");
  let seen = !box.hidden;
  new EventSource("/live").onmessage = (event) => {
    const now = JSON.parse(event.data);
    if (!now.night && seen) { location.reload(); return; }
    seen = Boolean(now.night);
    box.hidden = !seen;
    if (!seen) return;
    const learnt = now.update ? `, update ${now.update}${now.loss ? `, loss ${now.loss.toFixed(2)}` : ""}` : "";
    words.textContent = `${now.night}: ${now.stage || "begins"} (${now.number} of ${now.of})${learnt}`;
    bar.max = now.of;
    bar.value = now.number;
    done.replaceChildren(...now.done.map((stage) => {
      const item = document.createElement("li");
      item.textContent = `${stage.summary} (${Math.round(stage.seconds)} s)`;
      return item;
    }));
  };
}

async function answer(model, messages, into, signal) {
  into.textContent = "…";
  let said = "";
  try {
    const reply = await fetch("/v1/chat/completions", {
      method: "POST", signal,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model, messages, stream: true }),
    });
    if (!reply.ok) throw new Error((await reply.json()).error.message);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let held = "", part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (held + part.value).split("\n\n");
      held = events.pop();
      for (const event of events) {
        if (!event.startsWith("data: {")) continue;
        const found = JSON.parse(event.slice(6));
        if (found.error) throw new Error(found.error.message);
        said += found.choices[0]?.delta?.content ?? "";
        into.textContent = said;
      }
    }
    if (!said) into.textContent = "(nothing)";
  } catch (error) {
    into.textContent = signal.aborted ? said + " (stopped)" : `${said}\n${error.message}`;
  }
  return said;
}

function chat() {
  const form = document.getElementById("chat");
  if (!form) return;
  const talk = document.getElementById("talk");
  const stop = document.getElementById("stop");
  const histories = {};
  function pane(row, kind) {
    const box = document.createElement("div");
    box.className = kind;
    row.append(box);
    return box;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = form.elements.text.value.trim();
    if (!text) return;
    form.elements.text.value = "";
    const models = [form.elements.model.value, ...(form.elements.beside.checked ? ["base"] : [])];
    const row = document.createElement("div");
    row.className = "turn";
    pane(row, "you").textContent = text;
    talk.append(row);
    const ending = new AbortController();
    stop.hidden = false;
    stop.onclick = () => ending.abort();
    await Promise.all(models.map(async (model) => {
      const history = (histories[model] ??= []);
      history.push({ role: "user", content: text });
      const said = await answer(model, history, pane(row, model === "base" ? "base" : "junior"), ending.signal);
      history.push({ role: "assistant", content: said });
    }));
    stop.hidden = true;
    form.elements.text.focus();
  });
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
  });
}

liveNight();
chat();
