// The page: who telephones, how the service is reached, and what is shown of calls.
//
// Views: loading, sign-in, ready, and renew (the token has expired in a call, which goes on).

import { AsteriskVoIPClient } from "../../client/sge-voip.js";
import { byId, setData, setText } from "../../wallboard/assets/dom.js";
import { duration } from "../../wallboard/assets/words.js";
import { Alerts, say } from "./alerts.js";
import { CallView } from "./callview.js";
import { Devices } from "./devices.js";
import { DialPad } from "./dialpad.js";
import { IncomingView } from "./incoming.js";
import { Lines } from "./lines.js";
import { People } from "./people.js";
import { Rooms } from "./rooms.js";
import { cleanToken, forget, remember, storedToken, userOf } from "./session.js";
import { Tones } from "./tones.js";
import { WaitingView } from "./waiting.js";
import { CONNECTIONS, STATES, wordsOfEnd, wordsOfError } from "./words.js";

const AGAIN_MS = 3000;

let user = "";
let lastWords = "";
let isAway = false;
let turn = 0; // of signing in: what belongs to an earlier one is not gone on with

const tokenSource = () => storedToken() ?? "";
const { content: gateway } = document.querySelector("meta[name=gateway]");
const client = new AsteriskVoIPClient({ token: tokenSource, gateway });
const tones = new Tones();
const alerts = new Alerts();
const pressed = (key) => tones.key(key);

const lines = new Lines(client, {
  changed: show,
  ended,
  failed,
  quality: (line) => callView.showQuality(line),
});
const devices = new Devices(
  () => client.devices(),
  (kind, deviceId) => {
    if (lines.front) lines.act(lines.front, (call) => call.useDevice(kind, deviceId));
  },
);
const dial = (target, { video }) => {
  hideFault();
  return lines.dial(target, devices.options({ video }));
};
const callView = new CallView(lines, { devices, pressed });
const incomingView = new IncomingView(lines, (video) => devices.options({ video }));
const waitingView = new WaitingView(lines);
const people = new People(client, { call: dial, failed });
const rooms = new Rooms(client, lines, {
  options: () => devices.options(),
  failed,
  reached: (isReached) => {
    isAway = !isReached;
    showStatus();
  },
});
const dialPad = new DialPad({ dial, pressed });

function show() {
  const had = document.activeElement;
  callView.show(lines);
  incomingView.show(lines);
  waitingView.show(lines);
  rooms.show();
  byId("dial").hidden = Boolean(lines.front || lines.attempt);
  alerts.show(lines.incoming[0] ?? null);
  tones.play(wantedTone());
  showStatus();
  // What had the focus is gone: with its panel, or because it may not be used now.
  if (had !== document.body && (!had.isConnected || !had.checkVisibility() || had.disabled)) {
    byId(byId("dial").hidden ? "call-name" : "dial-title").focus();
  }
}

function wantedTone() {
  const { incoming, front } = lines;
  if (incoming.length) return lines.isBusy ? "waiting" : "ringing";
  const isRinging = front?.call.direction === "outgoing" && front.state === "ringing";
  return isRinging && !front.hasEarlyMedia ? "ringback" : "";
}

function showStatus() {
  const { words, level, reason = "" } = wordsOfNow();
  setText(byId("status-word"), words);
  setData(byId("status"), "level", level);
  setText(byId("status-reason"), reason);
  const { incoming, front, attempt } = lines;
  const name = incoming[0]?.name ?? attempt?.name ?? front?.name;
  document.title = name ? `${words}: ${name} | Phone` : `${words} | Phone`;
  if (words !== lastWords) say(name ? `${words}: ${name}` : words);
  lastWords = words;
}

function wordsOfNow() {
  if (document.body.dataset.view === "sign-in") return { words: "Signed out", level: "none" };
  if (lines.incoming.length) return { words: "Incoming call", level: "warn" };
  if (lines.attempt) return STATES.initiating;
  if (lines.front) return STATES[lines.front.state];
  if (isAway && client.connection !== "connected") return CONNECTIONS.away;
  if (document.body.dataset.view === "loading") return CONNECTIONS.connecting;
  return CONNECTIONS[client.connection];
}

function ended(line, end) {
  const { title, advice, isFault } = wordsOfEnd(end, line.call.direction);
  say(`${title}: ${line.name}`);
  if (isFault) {
    showFault({ title: `${title}: ${line.name}`, advice });
    return;
  }
  const how = end.seconds ? duration(end.seconds * 1000) : title;
  setText(byId("last"), `Last call: ${line.name}, ${how.toLowerCase()}`);
  if (!line.room && line.call.direction === "outgoing") dialPad.clear();
}

function failed(error) {
  if (error.code === "unauthorized") askToken(error);
  else showFault(wordsOfError(error));
}

function showFault({ title, advice }) {
  byId("fault").hidden = false;
  setText(byId("fault-title"), title);
  setText(byId("fault-advice"), advice);
}

function hideFault() {
  byId("fault").hidden = true;
  setText(byId("fault-title"), "");
  setText(byId("fault-advice"), "");
}

function view(name) {
  document.body.dataset.view = name;
  byId("phone").hidden = name === "sign-in" || name === "loading";
  byId("sign-in").hidden = name !== "sign-in" && name !== "renew";
  byId("me").hidden = name === "sign-in";
}

function askToken(error = null) {
  forget();
  people.stop();
  rooms.stop();
  view(lines.isBusy ? "renew" : "sign-in");
  setText(byId("sign-in-reason"), error ? Object.values(wordsOfError(error)).join(". ") : "");
  show();
  byId("token").focus();
}

async function start() {
  view("loading");
  if (!(await connect())) return;
  user = userOf(storedToken()) || (await whoAmI());
  setText(byId("my-name"), user);
  showAll();
}

/** Tries until the service is there; false when nobody is signed in any more. */
async function connect() {
  turn += 1;
  for (const own = turn; own === turn; ) {
    try {
      await client.connect();
      return own === turn;
    } catch (error) {
      if (own !== turn) break;
      if (error.code === "unauthorized") {
        askToken(error);
        break;
      }
      isAway = true;
      showStatus();
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
  return false;
}

/** Goes on with another token: calls are under way that must not notice. */
function renew() {
  client.setToken(tokenSource);
  showAll();
}

function showAll() {
  view("ready");
  show();
  people.start(user);
  rooms.start(user);
}

// The name that an API key has is known to the service only.
async function whoAmI() {
  const own = await client.presence.get().catch(() => null);
  return own?.user_id ?? "";
}

/** Whether a token is of who had the last one; of API keys it cannot be known here. */
function isSameUser(token) {
  const named = userOf(token);
  return !named || named === user;
}

/** Ends all calls, for those of one user are no other's, and leaves nothing of him. */
async function leave() {
  turn += 1;
  people.stop();
  rooms.stop();
  lines.close();
  await client.close();
  client.setToken(tokenSource);
  hideFault();
  dialPad.clear();
  setText(byId("last"), "");
}

async function signOut() {
  await leave();
  askToken();
}

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  tones.unlock();
  const token = cleanToken(byId("token").value);
  if (!token) {
    setText(byId("sign-in-reason"), "Give a token: one line without spaces");
    return;
  }
  event.target.reset();
  setText(byId("sign-in-reason"), "");
  const isRenewed = document.body.dataset.view === "renew" && isSameUser(token);
  if (!isRenewed) await leave();
  remember(token);
  if (isRenewed) renew();
  else await start();
});

byId("sign-out").addEventListener("click", signOut);
byId("fault-close").addEventListener("click", hideFault);
for (const event of ["pointerdown", "keydown"]) {
  addEventListener(event, () => tones.unlock(), { once: true });
}
addEventListener("beforeunload", (event) => {
  if (lines.isBusy) event.preventDefault();
});
client.on("connection", (state) => {
  if (state === "unauthorized" && !byId("phone").hidden) askToken({ code: "unauthorized" });
  if (document.body.dataset.view === "ready") {
    if (state === "connected") {
      people.refresh();
      rooms.refresh();
    }
    if (state === "polling") rooms.refresh(); // which finds out whether the service is there
  }
  showStatus();
});
setInterval(() => callView.tick(), 1000);

if (storedToken()) start();
else askToken();
