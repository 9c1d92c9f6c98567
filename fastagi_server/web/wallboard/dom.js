// Elements. What comes from the service is set as text only: names of callers are not to be trusted.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Sets a text where it is another one. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets a data attribute where it is another one. */
export function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/**
 * Keeps the children of a list in step with things: one element for each key, made once by
 * `create` and brought up to date by `update(element, thing)`, in the order of the things.
 */
export class KeyedList {
  #parent;
  #create;
  #update;
  #elements = new Map();

  constructor(parent, create, update) {
    this.#parent = parent;
    this.#create = create;
    this.#update = update;
  }

  show(things, keyOf = (thing) => thing.id) {
    const keys = new Set(things.map(keyOf));
    for (const [key, element] of this.#elements) {
      if (keys.has(key)) continue;
      element.remove();
      this.#elements.delete(key);
    }
    let place = this.#parent.firstElementChild;
    for (const thing of things) {
      const key = keyOf(thing);
      let element = this.#elements.get(key);
      if (!element) {
        element = this.#create(thing);
        this.#elements.set(key, element);
      }
      if (element === place) place = place.nextElementSibling;
      else this.#parent.insertBefore(element, place);
      this.#update(element, thing);
    }
  }
}
