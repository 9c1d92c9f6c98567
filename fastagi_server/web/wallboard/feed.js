// The service's news: server-sent events over fetch, because EventSource can send no credential.

const ADDRESS = "api/v1/voip/wallboard/feed";
const SILENCE_MS = 15_000; // the service says something every five seconds
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const MAX_EVENT = 4_000_000; // characters; a board of 1,000 calls has 300,000

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Cuts a text that comes in pieces into events; what is not whole yet waits for the next piece. */
export class EventReader {
  #rest = "";

  receive(piece) {
    this.#rest += piece;
    const events = [];
    for (let end = this.#rest.indexOf("\n\n"); end >= 0; end = this.#rest.indexOf("\n\n")) {
      const event = parse(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end + 2);
      if (event.data) events.push(event);
    }
    if (this.#rest.length > MAX_EVENT) throw new Error("an event is too long");
    return events;
  }
}

function parse(text) {
  const event = { kind: "message", data: "" };
  for (const line of text.split("\n")) {
    const colon = line.indexOf(": ");
    const field = line.slice(0, colon);
    if (field === "event") event.kind = line.slice(colon + 2);
    if (field === "data") event.data += line.slice(colon + 2);
  }
  return event;
}

/**
 * Follows the board until `signal` is aborted, and comes again whenever the connection ends.
 * `on` has seen() for every piece, event(kind, data), and lost(reason). Throws Refused when the
 * credential is not good for it.
 */
export async function follow(credential, on, signal) {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      await connection(credential, {
        ...on,
        seen() {
          pause = FIRST_PAUSE_MS;
          on.seen();
        },
      }, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) throw error;
      on.lost(error.message);
    }
    // After an end in peace, too: whatever ends each answer at once must not be asked in a loop.
    await sleep(pause * (0.5 + Math.random() / 2), signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

async function connection(credential, on, signal) {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener("abort", stop);
  let watchdog = setTimeout(stop, SILENCE_MS);
  try {
    const answer = await fetch(ADDRESS, {
      headers: credential,
      signal: own.signal,
      cache: "no-store",
      credentials: "omit",
    });
    if (answer.status === 401 || answer.status === 403 || answer.status === 429) {
      const { message } = await answer.json().catch(() => ({ message: "" }));
      throw new Refused(answer.status, message || "The credential was refused");
    }
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new Error("somebody else answered"); // such as a reverse proxy with a page of its own
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(stop, SILENCE_MS);
      on.seen();
      for (const { kind, data } of events.receive(value)) on.event(kind, JSON.parse(data));
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", stop);
    own.abort();
  }
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
