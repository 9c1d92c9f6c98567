// Which microphone, speaker and camera: chosen here, kept by the browser, used for each call.

import { byId, setText } from "../../wallboard/assets/dom.js";

const KEY = "phone.devices";
const KINDS = {
  audioinput: { id: "microphone", name: "Microphone" },
  audiooutput: { id: "speaker", name: "Speaker" },
  videoinput: { id: "camera-choice", name: "Camera" },
};

export class Devices {
  #chosen = read();
  #list;
  #changed;

  /** `list()` gives the devices; `changed(kind, deviceId)` is called with each choice. */
  constructor(list, changed) {
    this.#list = list;
    this.#changed = changed;
    for (const [kind, { id }] of Object.entries(KINDS)) {
      byId(id).onchange = () => this.#choose(kind, byId(id).value);
    }
    byId("settings").ontoggle = () => this.show();
    navigator.mediaDevices?.addEventListener("devicechange", () => this.show());
    this.#useSpeaker();
  }

  /** What calls are made with. */
  options({ video = false } = {}) {
    return { audio: this.#wanted("audioinput"), video: video && this.video() };
  }

  /** The constraints of the camera. */
  video() {
    return this.#wanted("videoinput");
  }

  /** Brings the choices up to date, when somebody sees them. */
  async show() {
    if (!byId("settings").open) return;
    const devices = await this.#list().catch(() => []);
    const isNamed = devices.some(({ label }) => label);
    setText(
      byId("devices-note"),
      isNamed ? "" : "The browser tells the names of devices once a call has used them.",
    );
    for (const [kind, { id, name }] of Object.entries(KINDS)) {
      const known = devices.filter((device) => device.kind === kind && device.deviceId);
      this.#fill(byId(id), name, known, kind);
    }
    byId("speaker").disabled = !canChooseSpeaker();
  }

  #fill(select, name, devices, kind) {
    const options = devices
      .filter(({ deviceId }) => deviceId !== "default")
      .map(({ deviceId, label }, index) => new Option(label || `${name} ${index + 1}`, deviceId));
    select.replaceChildren(new Option("The system's choice", ""), ...options);
    select.value = this.#chosen[kind] ?? "";
    if (!select.value) select.value = ""; // one that is not connected now
  }

  #choose(kind, deviceId) {
    this.#chosen[kind] = deviceId;
    localStorage.setItem(KEY, JSON.stringify(this.#chosen));
    if (kind === "audiooutput") this.#useSpeaker();
    else if (deviceId) this.#changed(kind, deviceId);
  }

  // Not `exact`: without the chosen device a call is made with another one.
  #wanted(kind) {
    return this.#chosen[kind] ? { deviceId: { ideal: this.#chosen[kind] } } : true;
  }

  #useSpeaker() {
    if (canChooseSpeaker()) {
      byId("remote-audio").setSinkId(this.#chosen.audiooutput ?? "").catch(() => undefined);
    }
  }
}

const canChooseSpeaker = () => "setSinkId" in HTMLMediaElement.prototype;

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
