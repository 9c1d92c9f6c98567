// Calls that wait behind the one in front.

import { KeyedList, byId, make, setData, setText } from "../../wallboard/assets/dom.js";
import { STATES } from "./words.js";

export class WaitingView {
  #lines;
  #list = new KeyedList(byId("waiting-calls"), (line) => this.#create(line), update);

  constructor(lines) {
    this.#lines = lines;
  }

  show({ others }) {
    this.#list.show(others);
    byId("waiting").hidden = others.length === 0;
  }

  #create(line) {
    const item = make("li");
    const words = make("span", "words");
    words.append(make("span", "name", line.name), make("span", "state"));
    const acts = make("span", "acts");
    acts.append(
      button("Switch", `Switch to ${line.name}`, () => this.#lines.switchTo(line)),
      button("Hang up", `Hang up ${line.name}`, () => line.call.hangup()),
    );
    item.append(words, acts);
    return item;
  }
}

function button(text, name, action) {
  const element = make("button", "", text);
  element.type = "button";
  element.setAttribute("aria-label", name);
  element.addEventListener("click", action);
  return element;
}

function update(item, line) {
  const state = item.firstChild.children[1];
  const { words, level } = STATES[line.state];
  setText(state, words);
  setData(state, "level", level);
}
