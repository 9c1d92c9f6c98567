// The messages of one call to us: each once, in order, pushed or asked for.

import { Backoff, sleep } from "./waiting.js";

const WAIT_SECONDS = 25;
const ANSWER_MS = (WAIT_SECONDS + 10) * 1000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 3000; // the service takes us for gone after ten seconds without a poll
const GONE = new Set([401, 403, 404]);

/**
 * While the socket is there its frames are passed on by `push`; while it is not, the mailbox is
 * asked by long poll. When the socket comes back it is asked once more, and what is pushed
 * meanwhile waits for the answer, so that nothing is lost in between and nothing overtakes.
 */
export class Mailbox {
  #rest;
  #path;
  #deliver;
  #seen;
  #held = null;
  #stop = null;

  /** `seen` is the sequence number of the last message that is known already. */
  constructor(rest, callId, deliver, seen = 0) {
    this.#rest = rest;
    this.#path = `calls/${encodeURIComponent(callId)}/signaling`;
    this.#deliver = deliver;
    this.#seen = seen;
  }

  /** Sequence number of the last message that was passed on. */
  get seen() {
    return this.#seen;
  }

  /** Takes a message that the socket brought. */
  push(message) {
    if (this.#held) this.#held.push(message);
    else this.#pass(message);
  }

  /** From now on catches up and relies on the socket (`push`), polls (`poll`), or does nothing. */
  follow(how) {
    this.#stop?.abort();
    this.#stop = new AbortController();
    this.#held = [];
    if (how !== "nothing") this.#ask(how === "push", this.#stop.signal);
  }

  /** Asks no more. */
  close() {
    this.#stop?.abort();
    this.#deliver = () => {};
  }

  async #ask(isPushed, signal) {
    const pauses = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    while (!signal.aborted) {
      try {
        const messages = await this.#read(isPushed ? 0 : WAIT_SECONDS, signal);
        if (signal.aborted) return;
        this.#passAll(messages);
        if (isPushed) return this.#release();
        pauses.reset();
        if (messages.length === 0) await sleep(FIRST_PAUSE_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (GONE.has(error.status)) return this.#release(); // nothing more is to be had here
        await sleep(pauses.next(), signal);
      }
    }
  }

  #read(seconds, signal) {
    const wait = seconds ? `&wait=${seconds}` : "";
    const path = `${this.#path}?after=${this.#seen}${wait}`;
    return this.#rest.request("GET", path, { signal, deadlineMs: ANSWER_MS });
  }

  #release() {
    this.#passAll([]);
    this.#held = null;
  }

  #passAll(messages) {
    const all = [...messages, ...this.#held.splice(0)];
    all.sort((one, other) => one.sequence_number - other.sequence_number);
    for (const message of all) this.#pass(message);
  }

  #pass(message) {
    if (message.sequence_number <= this.#seen) return;
    this.#seen = message.sequence_number;
    this.#deliver(message);
  }
}
