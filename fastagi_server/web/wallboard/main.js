// The page: who looks, what the service tells, and what is shown of it.
//
// Views: loading, sign-in, live, lost (the last board stays, dimmed, with its age).

import { Board } from "./board.js";
import { CallsTable } from "./calls.js";
import { byId, setData, setText } from "./dom.js";
import { Refused, follow } from "./feed.js";
import { Figures } from "./figures.js";
import { Endpoints, Errors, Links, Rooms } from "./lists.js";
import { credential, forget, remember } from "./session.js";
import { VERDICTS, age, clock, figure } from "./words.js";

const board = new Board();
let skewMs = 0;
let seenAt = 0;
let following = null;

const serviceNow = () => Date.now() + skewMs;

const calls = new CallsTable(serviceNow);
const links = new Links(serviceNow);
const rooms = new Rooms(serviceNow);
const endpoints = new Endpoints();
const errors = new Errors();
const figures = new Figures();

const show = {
  calls: (state) => {
    calls.show(state.calls);
    setText(byId("calls-count"), figure(state.figures.calls));
    const more = byId("calls-more");
    const hidden = state.figures.calls - state.calls.size;
    more.hidden = hidden <= 0;
    setText(more, `and ${figure(hidden)} more`);
  },
  rooms: (state) => rooms.show(state.rooms, state.figures.rooms),
  endpoints: (state) => endpoints.show(state.endpoints, state.figures),
  links: (state) => links.show(state.links),
  errors: (state) => errors.show(state.errors),
  figures: (state) => {
    figures.show(state.figures);
    show.calls(state);
    show.rooms(state);
    show.endpoints(state);
  },
  verdict: (state) => showStatus(state.verdict),
};

function showAll(state) {
  for (const name of ["figures", "links", "errors", "verdict"]) show[name](state);
}

function view(name) {
  document.body.dataset.view = name;
  byId("board").hidden = !board.state || name === "sign-in";
  byId("sign-in").hidden = name !== "sign-in";
  byId("sign-out").hidden = name === "sign-in" || name === "loading";
}

function setStatus(words, level, reason) {
  setText(byId("status-word"), words);
  setData(byId("status"), "level", level);
  setText(byId("status-reason"), reason);
  document.title = `${words} | Wallboard`;
}

function showStatus({ word, reasons }) {
  const { words, level } = VERDICTS[word];
  setStatus(words, level, reasons.join(" · "));
}

function showLost() {
  const since = seenAt ? `Last seen ${age(Date.now() - seenAt)} ago` : "The service does not answer";
  setStatus("No connection", "none", `${since}, trying again`);
}

const listener = {
  seen() {
    seenAt = Date.now();
    if (document.body.dataset.view !== "live" && board.state) {
      view("live");
      showStatus(board.state.verdict);
    }
  },
  event(kind, data) {
    skewMs = Date.parse(data.at) - Date.now();
    if (kind === "board") {
      board.replace(data);
      view("live");
      showAll(board.state);
    } else if (kind === "change" && board.state) {
      const names = board.change(data);
      // The figures show the lists with them.
      const wanted = names.includes("figures")
        ? names.filter((name) => !["calls", "rooms", "endpoints"].includes(name))
        : names;
      for (const name of wanted) show[name](board.state);
    }
  },
  lost() {
    view("lost");
    showLost();
  },
};

async function start(headers) {
  following?.abort();
  following = new AbortController();
  view("loading");
  setStatus("Loading", "none", "");
  try {
    await follow(headers, listener, following.signal);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Too many tries do not make a credential a wrong one.
    if (error.status !== 429) forget();
    askWho(error.message);
  }
}

function askWho(reason) {
  board.state = null;
  view("sign-in");
  setStatus("Signed out", "none", "");
  setText(byId("sign-in-reason"), reason);
  byId("key").focus();
}

function tick() {
  setText(byId("clock"), clock(new Date()));
  if (document.body.dataset.view === "lost") showLost();
  if (document.body.dataset.view !== "live") return;
  calls.tick();
  rooms.tick();
  links.tick();
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const headers = remember(form);
  if (!headers) {
    setText(byId("sign-in-reason"), "Give a key, or name and password");
    return;
  }
  form.reset();
  setText(byId("sign-in-reason"), "");
  start(headers);
});

byId("sign-out").addEventListener("click", () => {
  following?.abort();
  forget();
  askWho("");
});

setInterval(tick, 1000);
tick();
const known = credential();
if (known) start(known);
else askWho("");
