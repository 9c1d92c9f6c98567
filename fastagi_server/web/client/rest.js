// The service over HTTP: who asks, deadlines, and what a refusal says.

import { VoipError } from "./errors.js";
import { Backoff, sleep, within } from "./waiting.js";

const PREFIX = "/api/v1/voip";
const TOKEN_MS = 15_000;
const REQUEST_MS = 10_000;
const TRIES = 4; // about two seconds of a service that restarts
const LONGEST_WAIT_SECONDS = 5;
const AWAY = new Set(["service_away", "timeout"]);

/** The token in use: taken from its source once, and again whenever it was refused. */
export class Credentials {
  #source;
  #token = null;
  #asking = null;

  constructor(source) {
    this.replace(source);
  }

  /** Uses another source (a token, or a function that gives one) from now on. */
  replace(source) {
    this.#source = source;
    this.#token = typeof source === "string" ? source : null;
    this.#asking = null;
  }

  /** The token. Rejects as its source does, or with `timeout`. */
  async current() {
    return this.#token ?? this.#ask(false);
  }

  /** Gets a new token for one that was refused; false when there is no other to be had. */
  async renew(refused) {
    if (this.#token !== null && this.#token !== refused) return true;
    if (typeof this.#source === "string") return false;
    return (await this.#ask(true)) !== refused;
  }

  // Several requests that are refused at once ask for one token together.
  #ask(refresh) {
    const source = this.#source;
    this.#asking ??= within(TOKEN_MS, Promise.resolve(source({ refresh })), "A token")
      .then((token) => {
        if (source === this.#source) this.#token = token;
        return token;
      })
      .finally(() => {
        if (source === this.#source) this.#asking = null;
      });
    return this.#asking;
  }
}

/** Requests to the service. `base` is its origin, without a path. */
export class Rest {
  #base;
  #credentials;
  #fetch;

  constructor(base, credentials, fetch) {
    this.#base = base;
    this.#credentials = credentials;
    this.#fetch = fetch;
  }

  /**
   * What the service answers, as JSON. Rejects with a VoipError: its own code, `service_away`,
   * `timeout`, or `aborted` by `signal`.
   *
   * With `isRepeatable` it is asked again while it cannot be reached (a service that restarts) or
   * asks to wait for a moment; a POST needs a key for that, or no harm in being done twice.
   */
  async request(method, path, options = {}) {
    const pauses = new Backoff(250, 2000);
    for (let left = options.isRepeatable ? TRIES : 1; ; left -= 1) {
      try {
        return await this.#authorised(method, path, options);
      } catch (error) {
        const seconds = error.code === "rate_limited" ? (error.retryAfter ?? 1) : null;
        const isBrief = seconds !== null && seconds <= LONGEST_WAIT_SECONDS;
        if (left <= 1 || !(AWAY.has(error.code) || isBrief)) throw error;
        await sleep(isBrief ? seconds * 1000 : pauses.next(), options.signal);
      }
    }
  }

  async #authorised(method, path, options) {
    const token = await this.#credentials.current();
    try {
      return await this.#once(method, path, token, options);
    } catch (error) {
      if (error.status !== 401 || !(await this.#credentials.renew(token))) throw error;
      return this.#once(method, path, await this.#credentials.current(), options);
    }
  }

  async #once(method, path, token, { body, key, signal, deadlineMs = REQUEST_MS, isLast = false }) {
    const headers = { Authorization: `Bearer ${token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    const stop = new AbortController();
    const abort = () => stop.abort();
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    const timer = setTimeout(abort, deadlineMs);
    try {
      const answer = await this.#fetch(`${this.#base}${PREFIX}/${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: stop.signal,
        cache: "no-store",
        credentials: "omit",
        keepalive: isLast, // goes out even when the page is left
      });
      return await read(answer);
    } catch (error) {
      throw requestError(error, signal, stop.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }
}

async function read(answer) {
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.startsWith("application/json");
  if (answer.ok && isJson) return JSON.parse(text);
  const { code, message } = isJson ? JSON.parse(text) : {};
  const retryAfter = Number(answer.headers.get("retry-after")) || null;
  // An answer that is not the service's own comes from something before it that cannot reach it.
  throw new VoipError(
    code ?? "service_away",
    message ?? `The service answered ${answer.status}`,
    { status: answer.status, retryAfter },
  );
}

function requestError(error, asked, stopped) {
  if (error instanceof VoipError) return error;
  if (asked?.aborted) return new VoipError("aborted", "The request was given up", { cause: error });
  return stopped.aborted
    ? new VoipError("timeout", "The service did not answer in time", { cause: error })
    : new VoipError("service_away", "The service cannot be reached", { cause: error });
}

/** A key that makes a repeated request the same one. */
export function newKey() {
  const random = () => Math.random().toString(36).slice(2);
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${random()}${random()}`;
}
