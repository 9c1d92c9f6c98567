// Waiting, and giving up.

import { VoipError } from "./errors.js";

/** Resolves after this time, at once when `signal` (if any) is aborted. */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener("abort", done);
  });
}

/** What the promise gives, or a VoipError `timeout` when that takes longer. */
export function within(ms, promise, what) {
  let timer;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new VoipError("timeout", `${what} took too long`)), ms);
  });
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer));
}

/** Rejects with `aborted` as soon as the signal is; without one it never settles. */
export function aborted(signal) {
  return new Promise((_, reject) => {
    const abort = () => reject(new VoipError("aborted", "The call was given up"));
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
  });
}

/** Pauses that double from `first` to `longest` milliseconds, each cut by up to a half. */
export class Backoff {
  #first;
  #longest;
  #next;

  constructor(first, longest) {
    this.#first = first;
    this.#longest = longest;
    this.#next = first;
  }

  /** The next pause; clients that lost the same service do not come back all at once. */
  next() {
    const pause = this.#next * (0.5 + Math.random() / 2);
    this.#next = Math.min(this.#next * 2, this.#longest);
    return pause;
  }

  /** Begins again with the first. */
  reset() {
    this.#next = this.#first;
  }
}

/** Timers by name: setting one again moves it. */
export class Timers {
  #timers = new Map();

  /** Calls `work` after this time unless it is set again or cleared before. */
  set(name, ms, work) {
    this.clear(name);
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      work();
    }, ms);
    this.#timers.set(name, timer);
  }

  /** Whether it is set and not due yet. */
  has(name) {
    return this.#timers.has(name);
  }

  clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clearAll() {
    for (const name of [...this.#timers.keys()]) this.clear(name);
  }
}
