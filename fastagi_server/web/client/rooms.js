// Rooms: conferences that people come into by themselves.

import { newKey } from "./rest.js";

const MAX_SEATS = 50;

/**
 * Rooms over REST. `enter(roomId, join, options)` gives the call that is a room's sound, once
 * `join(endpoint)` has asked for it.
 */
export class Rooms {
  #rest;
  #enter;

  constructor(rest, enter) {
    this.#rest = rest;
    this.#enter = enter;
  }

  create(name, { maxParticipants = MAX_SEATS, number, settings } = {}) {
    const body = { name, max_participants: maxParticipants, number, settings };
    return this.#rest.request("POST", "rooms", { body, key: newKey(), isRepeatable: true });
  }

  list() {
    return this.#rest.request("GET", "rooms", { isRepeatable: true });
  }

  get(roomId) {
    return this.#rest.request("GET", pathOf(roomId), { isRepeatable: true });
  }

  /** Comes in with a microphone, and a camera with `video`. */
  join(roomId, { password, ...options } = {}) {
    return this.#enter(roomId, (endpoint) => {
      const body = { endpoint, password };
      return this.#rest.request("POST", `${pathOf(roomId)}/join`, { body });
    }, options);
  }

  leave(roomId) {
    return this.#rest.request("POST", `${pathOf(roomId)}/leave`, { isRepeatable: true });
  }

  close(roomId) {
    return this.#rest.request("POST", `${pathOf(roomId)}/close`, { isRepeatable: true });
  }
}

function pathOf(roomId) {
  return `rooms/${encodeURIComponent(roomId)}`;
}
