// How the page is noticed: by its title, by those who hear it, by the system's notifications.

import { byId, setText } from "../../wallboard/assets/dom.js";

/** Says something to those who hear the page: when there is time, or at once. */
export function say(words, isUrgent = false) {
  setText(byId(isUrgent ? "spoken-now" : "spoken"), words);
}

export class Alerts {
  #shown = null;
  #id = "";

  constructor() {
    const button = byId("notify");
    button.hidden = typeof Notification === "undefined";
    button.onclick = async () => {
      await Notification.requestPermission();
      this.#tell();
    };
    if (!button.hidden && Notification.permission !== "default") this.#tell();
  }

  /** Shows who calls, and nobody any more with null. */
  show(line) {
    if (line?.id === this.#id) return;
    this.#id = line?.id;
    this.#shown?.close();
    this.#shown = null;
    say(line ? `Incoming call from ${line.name}` : "", true);
    if (!line || !document.hidden || typeof Notification === "undefined") return;
    if (Notification.permission !== "granted") return;
    try {
      this.#shown = new Notification("Incoming call", { body: line.name, tag: line.id });
    } catch {
      return; // Android's browsers have the class and let only a service worker use it
    }
    this.#shown.onclick = () => {
      window.focus();
      this.#shown?.close();
    };
  }

  #tell() {
    const isGranted = Notification.permission === "granted";
    byId("notify").hidden = isGranted;
    setText(
      byId("notify-note"),
      isGranted
        ? "Incoming calls are shown as notifications while this page is not in sight."
        : "The browser does not allow it: change it with the sign beside the address.",
    );
  }
}
