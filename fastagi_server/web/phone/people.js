// Who is there, and what one says of oneself.

import { KeyedList, byId, make, setData, setText } from "../../wallboard/assets/dom.js";
import { PRESENCES } from "./words.js";

const MAX_SHOWN = 300;
const OTHER = { words: "Not known", level: "none" };

export class People {
  #presence;
  #me = "";
  #known = new Map();
  #list;
  #failed;
  #stop = () => undefined;

  /** `call(user, {video})` is called for whom somebody wants to speak with. */
  constructor({ presence }, { call, failed }) {
    this.#presence = presence;
    this.#failed = failed;
    const create = (person) => createPerson(person, call);
    this.#list = new KeyedList(byId("people"), create, updatePerson);
    const choice = byId("my-status");
    const options = Object.entries(PRESENCES).map(([word, { words }]) => new Option(words, word));
    choice.replaceChildren(...options);
    choice.onchange = () => this.#say(choice.value);
  }

  /** Shows everybody from now on, but `me`, whose own state is the choice's. */
  async start(me) {
    this.#me = me;
    this.#stop();
    this.#stop = this.#presence.subscribe("all", (status) => this.#take(status));
    await this.refresh();
  }

  /** Asks for everybody anew, for what was missed while there was no connection. */
  async refresh() {
    try {
      for (const status of await this.#presence.list()) this.#known.set(status.user_id, status);
      this.#show();
    } catch (error) {
      this.#failed(error);
    }
  }

  stop() {
    this.#stop();
    this.#known.clear();
    this.#show();
  }

  #take(status) {
    this.#known.set(status.user_id, status);
    this.#show();
  }

  #show() {
    const own = this.#known.get(this.#me);
    if (own) byId("my-status").value = own.status;
    const others = [...this.#known.values()].filter((each) => each.user_id !== this.#me);
    others.sort((a, b) => rank(a) - rank(b) || a.user_id.localeCompare(b.user_id));
    this.#list.show(others.slice(0, MAX_SHOWN), (person) => person.user_id);
    byId("people-empty").hidden = others.length > 0;
  }

  async #say(status) {
    try {
      this.#take(await this.#presence.set(status));
    } catch (error) {
      this.#show();
      this.#failed(error);
    }
  }
}

// Whoever can be called first.
function rank({ status }) {
  const place = Object.keys(PRESENCES).indexOf(status);
  return place < 0 ? Infinity : place;
}

function createPerson(person, call) {
  const item = make("li");
  const words = make("span", "words");
  words.append(make("span", "name", person.user_id), make("span", "state"), make("span", "tags"));
  const acts = make("span", "acts");
  acts.append(
    button(`Call ${person.user_id}`, "i-phone", () => call(person.user_id, { video: false })),
    button(`Video call ${person.user_id}`, "i-video", () => call(person.user_id, { video: true })),
  );
  item.append(words, acts);
  return item;
}

function updatePerson(item, { status, status_message: message }) {
  const [, state, tags] = item.firstChild.children;
  const { words, level } = PRESENCES[status] ?? OTHER;
  setText(state, words);
  setData(state, "level", level);
  setText(tags, message ? ` · ${message}` : "");
  for (const act of item.lastChild.children) act.disabled = status === "offline";
}

function button(name, symbol, action) {
  const element = make("button", "icon");
  element.type = "button";
  element.setAttribute("aria-label", name);
  element.title = name;
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${symbol}`);
  picture.append(use);
  element.append(picture);
  element.addEventListener("click", action);
  return element;
}
