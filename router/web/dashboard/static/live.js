// Keeps the table of live calls up to date from /api/v1/live. Texts come from the page: data-texts.
const place = document.querySelector("[data-live]");
const said = document.querySelector("[data-said]");
const dot = document.querySelector("[data-dot]");

function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

class LiveCalls {
  constructor(place) {
    this.texts = JSON.parse(place.dataset.texts);
    this.body = place.querySelector("tbody");
    this.sample = place.querySelector("template").content.querySelector("tr");
    this.none = place.querySelector("[data-none]");
    this.calls = new Map();
    for (const row of this.body.rows) {
      const seconds = Number(row.querySelector("[data-is=seconds]").dataset.seconds);
      const talk = Number(row.querySelector("[data-is=talk]").dataset.seconds);
      this.calls.set(row.dataset.call, { row, call: { seconds, talk_seconds: talk, state: "" }, at: performance.now() });
    }
  }

  key(call) {
    return call.linkedid;
  }

  snapshot(told) {
    const there = new Set(told.calls.map((call) => this.key(call)));
    for (const key of [...this.calls.keys()]) if (!there.has(key)) this.remove(key);
    for (const call of told.calls) this.show(call);
    this.count();
    return told.catching_up ? this.texts.catching_up : this.texts.connected;
  }

  show(call) {
    const key = this.key(call);
    let entry = this.calls.get(key);
    if (!entry) {
      entry = { row: this.sample.cloneNode(true) };
      entry.row.dataset.call = key;
      this.body.append(entry.row);
      this.calls.set(key, entry);
    }
    entry.call = call;
    entry.at = performance.now();
    const set = (name, text) => {
      const cell = entry.row.querySelector(`[data-is=${name}]`);
      // The page as it was made has phone numbers with spaces: the same number is left as it is.
      const plain = (written) => written.replaceAll(" ", "");
      if (plain(cell.textContent) !== plain(text)) cell.textContent = text;
    };
    if (call.caller) set("caller", call.caller);
    set("agent", call.agent || "–");
    set("channel", call.channel || "–");
    set("number", call.number || "–");
    set("site", call.site || "–");
    const badge = entry.row.querySelector("[data-is=state] .badge");
    const hold = call.hold ? ` · ${this.texts.hold}` : "";
    badge.textContent = (this.texts[`state.${call.state}`] || call.state) + hold;
    badge.classList.toggle("good", call.state === "talking");
    badge.classList.toggle("warn", call.state === "ringing");
    this.tick();
  }

  remove(key) {
    this.calls.get(key)?.row.remove();
    this.calls.delete(key);
  }

  count() {
    const all = [...this.calls.values()];
    for (const cell of document.querySelectorAll("[data-count]")) {
      const wanted = cell.dataset.count;
      const found = all.filter(({ call }) => wanted === "all" || call.state === wanted).length;
      cell.textContent = String(found);
    }
    this.none.hidden = all.length > 0;
  }

  tick() {
    for (const { row, call, at } of this.calls.values()) {
      const more = (performance.now() - at) / 1000;
      row.querySelector("[data-is=seconds]").textContent = duration(call.seconds + more);
      const talks = call.state === "talking" || call.talk_seconds > 0;
      row.querySelector("[data-is=talk]").textContent = talks ? duration(call.talk_seconds + more) : "–";
    }
  }
}

if (place) {
  const calls = new LiveCalls(place);
  const tell = (text, well) => {
    if (said.textContent !== text) said.textContent = text;
    dot.classList.toggle("off", !well);
  };
  const stream = new EventSource("/api/v1/live");
  stream.addEventListener("snapshot", (event) => tell(calls.snapshot(JSON.parse(event.data)), true));
  stream.addEventListener("call", (event) => {
    calls.show(JSON.parse(event.data));
    calls.count();
  });
  stream.addEventListener("ended", (event) => {
    calls.remove(calls.key(JSON.parse(event.data)));
    calls.count();
  });
  stream.onerror = () => {
    tell(calls.texts.lost, false);
    // Refused for good (logged out, say): the page as it is made then tells why.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  };
  setInterval(() => calls.tick(), 1000);
  addEventListener("pagehide", () => stream.close());
}
