// The row of figures.

import { KeyedList, byId, make, setData, setText } from "./dom.js";
import { age, figure, latency } from "./words.js";

const POOR_MOS = 3.6;
const LATE_SECONDS = 60;

function tiles(f) {
  const register = latency(f.register_p95_ms);
  const sge = latency(f.sge_p95_ms);
  const failed = f.registrations_failed ?? 0;
  return [
    { id: "calls", name: "Active calls", value: figure(f.calls),
      note: f.calls_per_minute === null ? "" : `${figure(f.calls_per_minute)} new / min` },
    { id: "rooms", name: "Rooms", value: figure(f.rooms) },
    { id: "endpoints", name: "Online phones", value: figure(f.endpoints_online),
      unit: f.endpoints === null ? "" : `of ${figure(f.endpoints)}`,
      level: f.endpoints > 0 && f.endpoints_online === 0 ? "warn" : "" },
    { id: "channels", name: "Channels", value: figure(f.channels),
      note: f.bridges === null ? "" : `${figure(f.bridges)} bridges` },
    { id: "mos", name: "Audio quality", value: figure(f.mos, 1), unit: f.mos === null ? "" : "MOS",
      note: f.mos === null ? "no call measured" : "",
      level: f.mos !== null && f.mos < POOR_MOS ? "warn" : "" },
    { id: "rate", name: "Registrations", value: figure(f.registrations_per_minute), unit: "/ min",
      note: f.registrations_per_minute === null ? "measuring" : `${figure(failed)} failed`,
      level: failed > 0 ? "warn" : "" },
    { id: "latency", name: "Register, p95", value: register.value, unit: register.unit,
      note: f.register_p95_ms === null ? "none last minute" : "last minute" },
    { id: "sge", name: "SGE API, p95", value: sge.value, unit: sge.unit,
      note: f.sge_p95_ms === null ? "none last minute" : "last minute" },
    { id: "outbox", name: "Outbox", value: figure(f.outbox_pending),
      note: f.outbox_dead > 0 ? `${figure(f.outbox_dead)} given up` : oldest(f),
      level: f.outbox_dead > 0 || f.outbox_oldest_seconds > LATE_SECONDS ? "warn" : "" },
  ];
}

function oldest(f) {
  if (!f.outbox_pending) return "nothing waits";
  return `oldest ${age(f.outbox_oldest_seconds * 1000)}`;
}

export class Figures {
  #list = new KeyedList(byId("figures"), create, update);

  show(figures) {
    this.#list.show(tiles(figures));
  }
}

function create() {
  const tile = make("div");
  const value = make("dd");
  value.append(make("span"), " ", make("small"));
  tile.append(make("dt"), value, make("dd", "note"));
  return tile;
}

function update(tile, { name, value, unit = "", note = "", level = "" }) {
  const [term, figureOf, below] = tile.children;
  setData(tile, "level", level);
  setText(term, name);
  setText(figureOf.firstChild, value);
  setText(figureOf.lastChild, unit);
  setText(below, note);
}
