// The table of calls. All calls may be scrolled through, but only rows in sight are elements: a
// thousand calls cost a page no more than the forty that fit on it.

import { byId, make, setData, setText } from "./dom.js";
import { STATUS, duration } from "./words.js";

const MARGIN_ROWS = 8;
const FEW = 20; // on a phone, where all else comes below the calls
const ORDER = { ringing: 0, initiating: 1, on_hold: 2, connected: 3 };

export class CallsTable {
  #table = byId("calls-table");
  #body = byId("calls-rows");
  #above = spacer();
  #below = spacer();
  #rows = [];
  #calls = [];
  #first = 0;
  #rowHeight = 0;
  #isPlanned = false;
  #isNarrow = matchMedia("(max-width: 60rem)");
  #wantsAll = false;
  #known = new Map();
  #now;

  /** `now` gives the service's time in milliseconds. */
  constructor(now) {
    this.#now = now;
    this.#body.append(this.#above, this.#below);
    for (const event of ["scroll", "resize"]) {
      addEventListener(event, () => this.#plan(), { passive: true });
    }
    this.#isNarrow.addEventListener("change", () => this.show(this.#known));
    byId("calls-all").addEventListener("click", () => {
      this.#wantsAll = !this.#wantsAll;
      this.show(this.#known);
    });
  }

  /** Shows these calls: those that wait for somebody first, the oldest of each first. */
  show(calls) {
    this.#known = calls;
    const all = [...calls.values()].sort(
      (a, b) => ORDER[a.status] - ORDER[b.status] || (a.since < b.since ? -1 : 1),
    );
    const isLong = this.#isNarrow.matches && all.length > FEW;
    this.#calls = isLong && !this.#wantsAll ? all.slice(0, FEW) : all;
    byId("calls-all").hidden = !isLong;
    setText(byId("calls-all"), this.#wantsAll ? "Show fewer" : `Show all ${all.length} calls`);
    this.#table.setAttribute("aria-rowcount", String(this.#calls.length + 1));
    this.#table.hidden = this.#calls.length === 0;
    byId("calls-empty").hidden = this.#calls.length > 0;
    const counts = Object.entries(STATUS)
      .map(([status, { words }]) => [words, all.filter((call) => call.status === status).length])
      .filter(([, count]) => count > 0);
    setText(byId("by-status"), counts.map(([words, count]) => `${words} ${count}`).join(" · "));
    this.#plan();
  }

  /** Brings the durations of the rows in sight up to date. */
  tick() {
    const now = this.#now();
    this.#rows.forEach((row, index) => setText(row.lastChild, lasts(this.#calls[this.#first + index], now)));
  }

  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      this.#draw();
    });
  }

  #draw() {
    const [first, count] = this.#inSight();
    this.#first = first;
    while (this.#rows.length > count) this.#rows.pop().remove();
    while (this.#rows.length < count) {
      const row = emptyRow();
      this.#rows.push(row);
      this.#below.before(row);
    }
    const now = this.#now();
    this.#rows.forEach((row, index) => fill(row, this.#calls[first + index], first + index, now));
    if (!this.#rowHeight && count) this.#rowHeight = this.#rows[0].getBoundingClientRect().height;
    this.#stretch(this.#above, first);
    this.#stretch(this.#below, this.#calls.length - first - count);
  }

  /** The first row in sight and how many there are, with some on either side. */
  #inSight() {
    const all = this.#calls.length;
    if (!this.#rowHeight) return [0, Math.min(all, 60)];
    const top = this.#body.getBoundingClientRect().top;
    const first = Math.floor(-top / this.#rowHeight) - MARGIN_ROWS;
    const fit = Math.ceil(innerHeight / this.#rowHeight) + 2 * MARGIN_ROWS;
    const from = Math.min(Math.max(first, 0), Math.max(all - fit, 0));
    return [from, Math.min(fit, all - from)];
  }

  #stretch(element, rows) {
    element.firstChild.style.height = `${rows * this.#rowHeight}px`;
    element.hidden = rows === 0;
  }
}

function spacer() {
  const row = make("tr", "space");
  row.setAttribute("aria-hidden", "true");
  const cell = make("td");
  cell.colSpan = 5;
  row.append(cell);
  row.hidden = true;
  return row;
}

function emptyRow() {
  const row = make("tr");
  row.append(make("td", "state"), make("td"), make("td"), make("td", "kind"), make("td", "number"));
  return row;
}

function fill(row, call, index, now) {
  const [state, from, to, kind, lasting] = row.children;
  const { words, level } = STATUS[call.status] ?? { words: call.status, level: "none" };
  row.setAttribute("aria-rowindex", String(index + 2));
  setData(state, "level", level);
  setData(state, "status", call.status);
  setText(state, words);
  setText(from, call.from);
  setText(to, call.to);
  setText(kind, call.kind);
  setText(lasting, lasts(call, now));
}

// Of a call that was answered the conversation, of another one the waiting.
function lasts(call, now) {
  return call ? duration(now - Date.parse(call.answered_at ?? call.since)) : "";
}
