// Systems, rooms, endpoints and the last errors.

import { KeyedList, byId, make, setData, setText } from "./dom.js";
import { LINKS, age, clock, duration, figure } from "./words.js";

export class Links {
  #list = new KeyedList(byId("links"), createLink, updateLink);
  #links = [];
  #now;

  constructor(now) {
    this.#now = now;
  }

  show(links) {
    this.#links = [...links.values()].sort((a, b) => rank(a) - rank(b));
    this.#list.show(this.#links);
    this.tick();
  }

  tick() {
    const now = this.#now();
    const items = byId("links").children;
    this.#links.forEach((link, index) => {
      setText(items[index].children[2], age(now - Date.parse(link.since)));
    });
  }
}

function rank(link) {
  const place = Object.keys(LINKS).indexOf(link.id);
  return place < 0 ? Infinity : place;
}

function createLink() {
  const item = make("li");
  item.append(make("span", "name"), make("span", "state"), make("span", "since"),
    make("span", "error"));
  return item;
}

function updateLink(item, link) {
  const [name, state, , error] = item.children;
  setData(item, "level", link.level);
  setText(name, LINKS[link.id] ?? link.id);
  setText(state, link.state);
  setText(error, link.error);
}

export class Rooms {
  #list = new KeyedList(byId("rooms"), createRoom, (item, room) => this.#update(item, room));
  #rooms = [];
  #now;

  constructor(now) {
    this.#now = now;
  }

  show(rooms, all) {
    this.#rooms = [...rooms.values()].sort((a, b) => a.name.localeCompare(b.name));
    this.#list.show(this.#rooms);
    setText(byId("rooms-count"), all ? figure(all) : "");
    byId("rooms-empty").hidden = this.#rooms.length > 0;
    showMore("rooms-more", all - this.#rooms.length);
  }

  tick() {
    const items = byId("rooms").children;
    this.#rooms.forEach((room, index) => this.#update(items[index], room));
  }

  #update(item, room) {
    const number = room.number ? `9${room.number}` : "";
    const tags = [
      room.is_recorded ? "recording" : "",
      room.is_locked ? "locked" : "",
      number,
      `${room.present}/${room.seats}`,
      duration(this.#now() - Date.parse(room.since)),
    ];
    setText(item.children[0], room.name);
    setText(item.children[1], tags.filter(Boolean).join(" · "));
  }
}

function createRoom() {
  const item = make("li");
  item.append(make("span", "name"), make("span", "tags"));
  return item;
}

export class Endpoints {
  #list = new KeyedList(byId("endpoints"), createEndpoint, updateEndpoint);

  show(endpoints, figures) {
    const known = endpoints === null ? [] : [...endpoints.values()];
    known.sort((a, b) => level(a).rank - level(b).rank || a.id.localeCompare(b.id));
    this.#list.show(known);
    const all = figures.endpoints ?? known.length;
    const online = figures.endpoints_online;
    setText(byId("endpoints-count"), online === null ? "" : `${figure(online)} of ${figure(all)} online`);
    const empty = byId("endpoints-empty");
    empty.hidden = known.length > 0;
    setText(empty, endpoints === null ? "Asterisk does not tell now" : "No endpoints");
    showMore("endpoints-more", all - known.length);
  }
}

function level(endpoint) {
  if (endpoint.channels > 0) return { rank: 0, level: "good", words: " in a call" };
  if (endpoint.state === "online") return { rank: 1, level: "good", words: "" };
  if (endpoint.state === "offline") return { rank: 2, level: "none", words: " offline" };
  return { rank: 3, level: "none", words: " unknown" };
}

function createEndpoint() {
  const item = make("li");
  item.append(make("span", "state"));
  return item;
}

function updateEndpoint(item, endpoint) {
  const { level: how, words } = level(endpoint);
  setData(item, "level", how);
  setData(item, "busy", endpoint.channels > 0 ? "yes" : "no");
  setText(item.firstChild, endpoint.id + words);
}

export class Errors {
  #list = new KeyedList(byId("errors"), createError, updateError);

  show(errors) {
    this.#list.show(errors, (error) => error.number);
    byId("errors-empty").hidden = errors.length > 0;
  }
}

function createError() {
  const item = make("li");
  item.append(make("time"), " ", make("span", "state"), make("span", "detail"));
  return item;
}

function updateError(item, error) {
  const [time, event, detail] = item.children;
  setText(time, clock(new Date(error.at)));
  setData(event, "level", error.level === "warning" ? "warn" : "bad");
  setText(event, error.event + (error.times > 1 ? ` (${error.times} times)` : ""));
  setText(detail, error.detail);
}

function showMore(id, count) {
  const element = byId(id);
  element.hidden = !(count > 0);
  if (count > 0) setText(element, `and ${figure(count)} more`);
}
