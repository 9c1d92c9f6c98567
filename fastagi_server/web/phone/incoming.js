// A call that rings here.

import { byId, setText } from "../../wallboard/assets/dom.js";

export class IncomingView {
  #line = null;

  /** `options(video)` tells with which devices a call is answered. */
  constructor(lines, options) {
    const accept = (video) => this.#line && lines.accept(this.#line, options(video));
    byId("accept").addEventListener("click", () => accept(false));
    byId("accept-video").addEventListener("click", () => accept(true));
    byId("reject").addEventListener("click", () => {
      if (this.#line) lines.act(this.#line, (call) => call.reject());
    });
  }

  /** Shows the one that has rung longest. */
  show(lines) {
    const [line] = lines.incoming;
    this.#line = line ?? null;
    byId("incoming").hidden = !line;
    if (!line) return;
    const isVideo = line.call.callType !== "audio";
    const waiting = lines.incoming.length - 1;
    setText(byId("incoming-kind"), isVideo ? "Incoming video call" : "Incoming call");
    setText(byId("incoming-name"), line.name);
    setText(
      byId("incoming-note"),
      [
        lines.front ? "The call in front is put on hold when you accept." : "",
        waiting > 0 ? `${waiting} more ring.` : "",
      ].filter(Boolean).join(" "),
    );
    byId("accept-video").hidden = !isVideo;
  }
}
