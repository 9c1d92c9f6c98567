// Numbers and times as people read them.

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  const tail = `${hours ? two(minutes) : minutes}:${two(seconds % 60)}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** How long ago in one unit: 12 s, 5 min, 3 h, 4 d. */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A figure, or a dash where it is not known. */
export function figure(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Milliseconds, or seconds from one on. */
export function latency(ms) {
  if (ms === null || ms === undefined) return { value: "–", unit: "" };
  if (ms < 1000) return { value: figure(ms, ms < 10 ? 1 : 0), unit: "ms" };
  return { value: figure(ms / 1000, 1), unit: "s" };
}

/** The time of day. */
export function clock(date) {
  return date.toLocaleTimeString("en-GB");
}

export const STATUS = {
  initiating: { words: "Starting", level: "none" },
  ringing: { words: "Ringing", level: "warn" },
  connected: { words: "Connected", level: "good" },
  on_hold: { words: "On hold", level: "warn" },
};

export const LINKS = {
  ari: "Asterisk (ARI)",
  ami: "Asterisk (AMI)",
  sge_api: "SGE API",
  store: "Database",
  outbox: "Outbox",
  log: "Log",
  disk: "Disk",
  events: "Event stream",
};

export const VERDICTS = {
  working: { words: "Working", level: "good" },
  degraded: { words: "Degraded", level: "warn" },
  down: { words: "Down", level: "bad" },
};
