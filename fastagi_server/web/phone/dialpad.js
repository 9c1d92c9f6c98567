// The dial pad: what is typed, pasted or pressed, and the same keys in a call.

import { byId, make } from "../../wallboard/assets/dom.js";
import { KEYS, cleanNumber, isKey } from "./numbers.js";

const NAMES = { "*": "Star", "#": "Hash" };

export class DialPad {
  #number = byId("number");

  /** `dial(target, {video})` is called with what is to be called, `pressed(key)` for its tone. */
  constructor({ dial, pressed }) {
    const press = (key) => {
      this.#insert(key);
      pressed(key);
    };
    addKeys(byId("pad"), press);
    cleanPastes(this.#number);
    byId("erase").addEventListener("click", () => {
      this.#number.value = this.#number.value.slice(0, -1);
    });
    byId("dial-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#dial(dial, false);
    });
    byId("dial-video").addEventListener("click", () => this.#dial(dial, true));
  }

  /** Empties the field. */
  clear() {
    this.#number.value = "";
  }

  #dial(dial, video) {
    const target = cleanNumber(this.#number.value);
    this.#number.value = target;
    if (target) dial(target, { video });
    else this.#number.focus();
  }

  #insert(key) {
    const { selectionStart: start, selectionEnd: end } = this.#number;
    this.#number.setRangeText(key, start, end, "end");
  }
}

/** The keys in a call: pressed with the mouse or, while the panel is open, typed. */
export function addTones(parent, press) {
  addKeys(parent, press);
  parent.parentElement.addEventListener("keydown", (event) => {
    if (isKey(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) press(event.key);
  });
}

/** Takes what is pasted into a field without what people put between digits. */
export function cleanPastes(field) {
  field.addEventListener("paste", (event) => {
    event.preventDefault();
    const text = cleanNumber(event.clipboardData.getData("text"));
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  });
}

function addKeys(parent, press) {
  for (const [key, letters] of KEYS) {
    const button = make("button", "", key);
    button.type = "button";
    button.setAttribute("aria-label", NAMES[key] ?? key);
    // All keys have the line, so that all digits stand at one height.
    const small = make("small", "", letters || "\u00a0");
    small.setAttribute("aria-hidden", "true");
    button.append(small);
    button.addEventListener("click", () => press(key));
    parent.append(button);
  }
}
