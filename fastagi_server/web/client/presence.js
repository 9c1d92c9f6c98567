// Who is there.

const LONGEST_MESSAGE = 256;

/** Presence over REST, and its changes over the socket. */
export class Presence {
  #rest;
  #socket;
  #listeners = new Map();

  constructor(rest, socket) {
    this.#rest = rest;
    this.#socket = socket;
  }

  /** The own state, or that of a user; null where the service knows of none. */
  async get(user) {
    if (user !== undefined) {
      return (await this.list()).find((status) => status.user_id === user) ?? null;
    }
    try {
      return await this.#rest.request("GET", "presence", { isRepeatable: true });
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /** Says how one is: a word, and a few words of one's own. */
  async set(status, message = "") {
    const body = { status, status_message: message.slice(0, LONGEST_MESSAGE) || null };
    return this.#rest.request("PUT", "presence", { body, isRepeatable: true });
  }

  /** The states of all users that the service knows of. */
  async list() {
    return this.#rest.request("GET", "presence/users", { isRepeatable: true });
  }

  /** Calls `listener` with each new state of this user, or of everybody with "all". */
  subscribe(user, listener) {
    const listeners = this.#listeners.get(user) ?? new Set();
    if (listeners.size === 0) this.#tell("Subscribe", user);
    this.#listeners.set(user, listeners.add(listener));
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#tell("Unsubscribe", user);
    };
  }

  /** For the client: the socket is there anew and knows nothing of the old one. */
  renew() {
    for (const [user, listeners] of this.#listeners) {
      if (listeners.size > 0) this.#tell("Subscribe", user);
    }
  }

  /** For the client: somebody's state has changed. */
  pass(status) {
    for (const user of [status.user_id, "all"]) {
      for (const listener of [...(this.#listeners.get(user) ?? [])]) listener(status);
    }
  }

  #tell(type, user) {
    this.#socket.send({ type, channel: `presence:${user}` });
  }
}
