// Rooms: which there are, who is in them, coming in and leaving.

import { KeyedList, byId, make, setText } from "../../wallboard/assets/dom.js";

const EVERY_MS = 5_000;
const SEATS = 20;
const TRIES = 5;
const AWAY = ["service_away", "timeout"];

export class Rooms {
  #rooms;
  #lines;
  #options;
  #failed;
  #reached;
  #me = "";
  #known = [];
  #timer = 0;
  #list = new KeyedList(
    byId("rooms"),
    (room) => this.#create(room),
    (item, room) => this.#update(item, room),
  );

  /**
   * `lines` make the calls into rooms, `options()` tells with which devices; `reached(isReached)`
   * is told of the service whenever it is asked.
   */
  constructor({ rooms }, lines, { options, failed, reached }) {
    this.#rooms = rooms;
    this.#lines = lines;
    this.#failed = failed;
    this.#reached = reached;
    this.#options = options;
    byId("room-form").onsubmit = (event) => {
      event.preventDefault();
      const field = byId("room-name");
      const name = field.value.trim();
      if (!name) field.focus();
      else this.#act(async () => {
        await this.#open(name);
        field.value = "";
      });
    };
  }

  /** Shows the rooms of `me`, anew every five seconds while somebody looks. */
  start(me) {
    this.#me = me;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => document.hidden || this.refresh(), EVERY_MS);
    return this.refresh();
  }

  stop() {
    clearInterval(this.#timer);
    this.#known = [];
    this.show();
  }

  /** Asks for the rooms anew; those that are shown stay when it fails. */
  async refresh() {
    try {
      this.#known = await this.#rooms.list();
    } catch (error) {
      if (AWAY.includes(error.code)) this.#reached(false);
      if (error.code === "unauthorized") this.#failed(error);
      return; // it is asked again soon
    }
    this.#reached(true);
    this.show();
  }

  /** Brings the buttons up to date with the lines. */
  show() {
    this.#known.sort((a, b) => a.name.localeCompare(b.name));
    this.#list.show(this.#known);
    byId("rooms-empty").hidden = this.#known.length > 0;
  }

  /** Telephones come in by a number, so each room is given one that is free. */
  async #open(name) {
    for (let left = TRIES; ; left -= 1) {
      const number = String(Math.floor(Math.random() * 1000)).padStart(3, "0");
      try {
        return await this.#rooms.create(name, { number, maxParticipants: SEATS });
      } catch (error) {
        if (error.code !== "number_taken" || left === 1) throw error;
      }
    }
  }

  #create(room) {
    const item = make("li");
    const words = make("span", "words");
    words.append(make("span", "name"), make("span", "tags"), make("span", "tags members"));
    const acts = make("span", "acts");
    const act = (name, action) => {
      const button = make("button", "", name);
      button.type = "button";
      button.addEventListener("click", action);
      acts.append(button);
    };
    act("Join", () => this.#join(room.id));
    act("Leave", () => this.#leave(room.id));
    act("Close", () => this.#act(() => this.#rooms.close(room.id)));
    item.append(words, acts);
    return item;
  }

  #update(item, room) {
    const [name, tags, members] = item.firstChild.children;
    const [join, leave, close] = item.lastChild.children;
    setText(name, room.name);
    const facts = [
      room.number ? `dial 9${room.number}` : "",
      `${room.participants.length} of ${room.max_participants}`,
      room.is_locked ? "locked" : "",
    ];
    setText(tags, facts.filter(Boolean).join(" · "));
    setText(members, wordsOfMembers(room, this.#me));
    const isIn = Boolean(this.#lines.ofRoom(room.id));
    join.hidden = isIn;
    leave.hidden = !isIn;
    close.hidden = room.owner_id !== this.#me;
    for (const button of item.lastChild.children) {
      button.setAttribute("aria-label", `${button.textContent} ${room.name}`);
    }
  }

  async #join(roomId) {
    const room = this.#known.find(({ id }) => id === roomId);
    await this.#lines.enterRoom(room, this.#options());
    await this.refresh();
  }

  #leave(roomId) {
    return this.#act(async () => {
      await this.#lines.ofRoom(roomId)?.call.hangup();
      await this.#rooms.leave(roomId);
    });
  }

  async #act(action) {
    try {
      await action();
    } catch (error) {
      this.#failed(error);
    }
    await this.refresh();
  }
}

function wordsOfMembers(room, me) {
  const names = room.members.map((member) => {
    const name = member.user_id === me ? "you" : member.user_id || member.number || "a telephone";
    const notes = [member.is_moderator ? "moderator" : "", member.is_muted ? "muted" : ""];
    const known = notes.filter(Boolean).join(", ");
    return known ? `${name} (${known})` : name;
  });
  return names.join(", ");
}
