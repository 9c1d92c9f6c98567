// The calls of this page: one in front, those that ring here, those that wait, and one being made.
//
// All that the page shows of calls is told from here; `changed` is called whenever it may differ.

const MAX_TONES_SHOWN = 40;

/** A call, with what its events have told besides its own state. */
export class Line {
  isAccepted = false;
  isPeerMuted = false;
  isInterrupted = false;
  hasEarlyMedia = false;
  tones = "";
  isFollowed = false;

  /** `room` is the one that the call leads into, if any. */
  constructor(call, room = null) {
    this.call = call;
    this.id = call.id;
    this.room = room;
  }

  /** Whom it is with, for people. */
  get name() {
    if (this.room) return this.room.name;
    const { remoteName, remoteNumber } = this.call;
    if (!remoteName || remoteName === remoteNumber) return remoteNumber || "Unknown caller";
    return remoteNumber ? `${remoteName} (${remoteNumber})` : remoteName;
  }

  /** A word of `STATES`. */
  get state() {
    const { state, isHeld } = this.call;
    if (state === "ringing" && this.isAccepted) return "connecting";
    if (state === "connected" && this.isInterrupted) return "interrupted";
    return state === "held" && !isHeld ? "held_by_other" : state;
  }
}

export class Lines {
  /** Calls that ring here, the oldest first. */
  incoming = [];
  /** The call in front, or null. */
  front = null;
  /** Calls that wait behind it. */
  others = [];
  /** The call that is being made and has no life of its own yet: {name, abort()}, or null. */
  attempt = null;

  #client;
  #on;

  /** `on` has changed(), ended(line, end), failed(error) and quality(line). */
  constructor(client, on) {
    this.#client = client;
    this.#on = on;
    client.on("incoming", (call) => this.#ring(call));
  }

  /** Whether there is any call, or one is being made. */
  get isBusy() {
    return Boolean(this.front || this.attempt || this.others.length);
  }

  /** Calls a number or a name. */
  dial(target, options) {
    return this.#make(target, null, (signal) => this.#client.call(target, { ...options, signal }));
  }

  /** Comes into a room, by a call of its own. */
  enterRoom(room, options) {
    return this.#make(room.name, room, (signal) =>
      this.#client.rooms.join(room.id, { ...options, signal }));
  }

  /** The line into this room, or undefined. */
  ofRoom(roomId) {
    return [this.front, ...this.others].find((line) => line?.room?.id === roomId);
  }

  /** Answers a call; the one in front waits meanwhile. When media fail it rings on. */
  async accept(line, options) {
    if (line.isAccepted) return;
    line.isAccepted = true;
    await this.#park();
    this.#follow(line);
    try {
      await line.call.accept(options);
      if (line.call.state === "ended") return;
      this.incoming = this.incoming.filter((each) => each !== line);
      this.front = line;
    } catch (error) {
      line.isAccepted = false;
      if (line.call.state !== "ended") this.#on.failed(error);
    } finally {
      this.#bringBack();
    }
  }

  /** Does something with a line, and tells when it fails. */
  async act(line, action) {
    try {
      await action(line.call);
    } catch (error) {
      if (line.call.state !== "ended") this.#on.failed(error);
    }
    this.#on.changed();
  }

  /** Puts a waiting call in front, and takes it back from hold. */
  async switchTo(line) {
    await this.#park();
    this.others = this.others.filter((each) => each !== line);
    this.front = line;
    await this.act(line, (call) => call.resume());
  }

  /** Presses a key in the call in front. */
  async press(digit) {
    const line = this.front;
    line.tones = (line.tones + digit).slice(-MAX_TONES_SHOWN);
    await this.act(line, (call) => call.dtmf(digit));
  }

  /** Ends all, as whoever signs out wants it. */
  close() {
    this.attempt?.abort();
    this.incoming = [];
    this.others = [];
    this.front = null;
  }

  async #make(name, room, begin) {
    if (this.attempt) return;
    const stop = new AbortController();
    this.attempt = { name, abort: () => stop.abort() };
    try {
      await this.#park();
      this.#on.changed();
      const line = new Line(await begin(stop.signal), room);
      this.#follow(line);
      if (line.call.state === "ended") this.#on.ended(line, line.call.end);
      else if (stop.signal.aborted) line.call.hangup();
      else this.front = line;
    } catch (error) {
      if (error.code !== "aborted") this.#on.failed(error);
    } finally {
      this.attempt = null;
      this.#bringBack();
    }
  }

  /** Lets the call in front wait: held, unless somebody holds it or it is not answered yet. */
  async #park() {
    const line = this.front;
    if (!line) return;
    if (line.call.state === "connected") await this.act(line, (call) => call.hold());
    if (this.front !== line) return;
    this.front = null;
    this.others.unshift(line);
    this.#on.changed();
  }

  /** Puts the call that waits in front again, when no other is. */
  #bringBack() {
    this.front ??= this.others.shift() ?? null;
    this.#on.changed();
  }

  #ring(call) {
    const line = new Line(call);
    this.incoming.push(line);
    call.on("ended", (end) => this.#end(line, end));
    this.#on.changed();
  }

  #follow(line) {
    if (line.isFollowed) return;
    line.isFollowed = true;
    const note = (fields) => {
      Object.assign(line, fields);
      this.#on.changed();
    };
    const { call } = line;
    for (const event of ["ringing", "held", "resumed", "muted", "track", "localtrack"]) {
      call.on(event, () => note({}));
    }
    call.on("progress", () => note({ hasEarlyMedia: true }));
    call.on("connected", () => note({ isInterrupted: false }));
    call.on("reconnecting", () => note({ isInterrupted: true }));
    call.on("peermuted", (isMuted) => note({ isPeerMuted: isMuted }));
    call.on("quality", () => this.#on.quality(line));
    call.on("error", (error) => this.#on.failed(error));
    if (!this.incoming.includes(line)) call.on("ended", (end) => this.#end(line, end));
  }

  #end(line, end) {
    this.incoming = this.incoming.filter((each) => each !== line);
    this.others = this.others.filter((each) => each !== line);
    if (this.front === line) this.front = null;
    this.#on.ended(line, end);
    if (this.attempt) this.#on.changed();
    else this.#bringBack();
  }
}
