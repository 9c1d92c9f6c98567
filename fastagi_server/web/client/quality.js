// How a call sounds, from the statistics of its peer connection.

const SAMPLE_MS = 2000;
const GOOD = 4; // opinion scores: most people are satisfied, and most are not
const FAIR = 3.1;

/** Samples every 2 s until `stop`, and gives each sample to `tell`. */
export class Sampler {
  #connection;
  #tell;
  #timer;
  #last = null;
  #isBusy = false;

  constructor(connection, tell) {
    this.#connection = connection;
    this.#tell = tell;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#sample();
  }

  stop() {
    clearInterval(this.#timer);
    this.#tell = () => {};
  }

  async #sample() {
    if (this.#isBusy) return; // a busy machine answers late
    this.#isBusy = true;
    try {
      const figures = readFigures(await this.#connection.getStats());
      this.#tell(judge(figures, this.#last));
      this.#last = figures;
    } catch {
      // The connection was closed meanwhile.
    } finally {
      this.#isBusy = false;
    }
  }
}

/** What of a report of statistics is used: of sound, and of the way that is taken. */
export function readFigures(report) {
  const reports = [...report.values()];
  const sound = (type) => reports.find((each) => each.type === type && isAudio(each)) ?? {};
  const received = sound("inbound-rtp");
  const sent = sound("outbound-rtp");
  const heard = sound("remote-inbound-rtp");
  const codec = report.get(received.codecId ?? sent.codecId);
  const pair = reports.find((each) => each.type === "candidate-pair" && each.nominated
    && each.state === "succeeded");
  return {
    rttMs: milliseconds(heard.roundTripTime ?? pair?.currentRoundTripTime),
    jitterMs: milliseconds(received.jitter),
    codec: codec?.mimeType?.replace(/^audio\//i, "") ?? null,
    level: received.audioLevel ?? null,
    packetsReceived: received.packetsReceived ?? 0,
    packetsLost: received.packetsLost ?? 0,
    packetsSent: sent.packetsSent ?? 0,
    farPacketsLost: heard.packetsLost ?? 0,
    bytesReceived: received.bytesReceived ?? 0,
    bytesSent: sent.bytesSent ?? 0,
  };
}

/** The quality between two samples; the first has no loss yet. */
export function judge(figures, last) {
  const { packetsLost, farPacketsLost, ...shown } = figures;
  const lossPercent = last && Math.max(
    loss(packetsLost - last.packetsLost, figures.packetsReceived - last.packetsReceived),
    loss(farPacketsLost - last.farPacketsLost, figures.packetsSent - last.packetsSent, true),
  );
  const score = opinionScore(figures.rttMs, figures.jitterMs, lossPercent);
  return { ...shown, lossPercent, score, word: wordFor(score) };
}

function loss(lost, counted, isOfAll = false) {
  const all = isOfAll ? counted : counted + lost;
  return lost > 0 && all > 0 ? Math.min(100, Math.round((1000 * lost) / all) / 10) : 0;
}

// The E-model (ITU-T G.107), cut down to what a browser measures.
function opinionScore(rttMs, jitterMs, lossPercent) {
  if (rttMs === null || lossPercent === null) return null;
  const delay = rttMs / 2 + 2 * (jitterMs ?? 0) + 10;
  const impairment = delay / 40 + Math.max(0, delay - 177) / 9 + 2.5 * lossPercent;
  const rating = Math.max(0, Math.min(93.2, 93.2 - impairment));
  const score = 1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating);
  return Math.round(100 * Math.max(1, score)) / 100;
}

function wordFor(score) {
  if (score === null) return "unknown";
  if (score >= GOOD) return "good";
  return score >= FAIR ? "fair" : "poor";
}

function isAudio({ kind, mediaType }) {
  return (kind ?? mediaType) === "audio";
}

function milliseconds(seconds) {
  return seconds === undefined ? null : Math.round(10_000 * seconds) / 10;
}
