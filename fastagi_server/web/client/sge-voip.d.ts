// Types of sge-voip.js: calls from a browser or a React Native application over the SGE VoIP API.
//
// They need no DOM types: what of WebRTC is used is described here, so that the classes of a
// browser and those of react-native-webrtc both fit.

/** A track as far as it is used. */
export interface TrackLike {
  readonly id: string;
  readonly kind: string;
  enabled: boolean;
  stop(): void;
}

/** A stream as far as it is used. */
export interface StreamLike {
  readonly id: string;
  getTracks(): TrackLike[];
}

/** The browser's own MediaStream where there are DOM types, else what is used of it. */
export type DefaultStream = typeof globalThis extends { MediaStream: { prototype: infer T } }
  ? T extends StreamLike
    ? T
    : StreamLike
  : StreamLike;

/** A peer connection as far as it is used. */
export interface PeerConnectionLike {
  readonly connectionState: string;
  readonly signalingState: string;
  createOffer(options?: any): Promise<any>;
  createAnswer(): Promise<any>;
  setLocalDescription(description?: any): Promise<void>;
  setRemoteDescription(description: any): Promise<void>;
  addIceCandidate(candidate?: any): Promise<any>;
  addTrack(track: any, ...streams: any[]): any;
  removeTrack(sender: any): void;
  getSenders(): any[];
  getTransceivers(): any[];
  getStats(): Promise<any>;
  restartIce(): void;
  close(): void;
  addEventListener(name: any, listener: any): void;
}

/** Where the client takes WebRTC from; each is the global of that name unless given. */
export interface MediaClasses<S extends StreamLike = DefaultStream> {
  RTCPeerConnection: new (configuration?: any) => PeerConnectionLike;
  MediaStream: new (tracks?: any) => S;
  mediaDevices: {
    getUserMedia(constraints?: any): Promise<S>;
    getDisplayMedia?(constraints?: any): Promise<S>;
    enumerateDevices?(): Promise<unknown>;
  };
  WebSocket: new (address: string, protocols?: any) => any;
  fetch: (address: any, options?: any) => Promise<any>;
  /** Accepted for symmetry with react-native-webrtc; descriptions are passed as plain objects. */
  RTCSessionDescription?: unknown;
  RTCIceCandidate?: unknown;
}

/**
 * Gives the token (or API key) that the service is asked with. It is asked once, within 15 s, and
 * again with `refresh` when the token was refused (401, or 4401 on the socket).
 */
export type TokenSource = (options: { refresh: boolean }) => string | Promise<string>;

export interface ClientOptions<S extends StreamLike = DefaultStream> {
  /** Origin of the service, such as `https://pbx.example.org`; the page's own unless given. */
  baseUrl?: string;
  token: string | TokenSource;
  media?: Partial<MediaClasses<S>>;
  /** With `relay` media go through a TURN server only. */
  iceTransportPolicy?: "all" | "relay";
  /** Name of Asterisk's endpoint for browsers, by which rooms ring; `sge-gateway` unless given. */
  gateway?: string;
}

/**
 * What went wrong, as a stable word. Of media: `microphone_missing`, `camera_missing`,
 * `permission_denied`, `microphone_busy`, `insecure_page`, `media_unavailable`. Of the service:
 * its own codes (`unauthorized`, `forbidden`, `not_found`, `wrong_state`, `rate_limited`,
 * `pbx_unreachable`, ...). Of the way there: `service_away`, `timeout`, `aborted`. Of the call:
 * `call_ended`, `negotiation_failed`.
 */
export class VoipError extends Error {
  readonly code: string;
  /** The HTTP status, or null. */
  readonly status: number | null;
  /** Seconds after which another try is welcome, or null. */
  readonly retryAfter: number | null;
}

export type CallType = "audio" | "video" | "screen";

/** A call as the API shows it. */
export interface CallRecord {
  id: string;
  caller_id: string;
  participants: string[];
  call_type: CallType;
  status: "initiating" | "ringing" | "connected" | "on_hold" | "ended";
  start_time: string;
  end_time: string | null;
  room_id: string | null;
  metadata: Record<string, string>;
}

export type MessageKind =
  | "offer"
  | "answer"
  | "ice_candidate"
  | "hangup"
  | "mute"
  | "unmute"
  | "ringing"
  | "progress";

export interface SignalingMessage {
  id: string;
  call_id: string;
  from_user: string;
  to_user: string;
  message_type: MessageKind;
  payload: any;
  sequence_number: number;
  timestamp: string;
}

/**
 * Why a call ended. `media_failed`: no media got through or it broke off; `left`: this client was
 * away for too long; `answered_elsewhere`: on another page of the same user.
 */
export type EndReason =
  | "busy"
  | "no_answer"
  | "unreachable"
  | "unknown"
  | "refused"
  | "cancelled"
  | "ended"
  | "media_failed"
  | "gateway_lost"
  | "left"
  | "answered_elsewhere"
  | "failed";

export interface End {
  reason: EndReason;
  /** Who ended it; null where nobody did. */
  by: "us" | "them" | null;
  /** Last SIP status and Q.850 cause, where there are any. */
  status: number | null;
  cause: number | null;
  /** Seconds from connected to the end; 0 for a call that never was. */
  seconds: number;
  /** What failed, when something here did. */
  error: VoipError | null;
}

/** How a call sounds, sampled every 2 s; null is not known (yet). */
export interface Quality {
  /** Opinion score estimated from the figures below, 1 (bad) to 4.5. */
  score: number | null;
  word: "good" | "fair" | "poor" | "unknown";
  rttMs: number | null;
  jitterMs: number | null;
  /** Of the packets of the last sample, both ways the worse. */
  lossPercent: number | null;
  /** Such as `opus` or `PCMU`. */
  codec: string | null;
  /** Of what is heard, 0 to 1. */
  level: number | null;
  packetsReceived: number;
  packetsSent: number;
  bytesReceived: number;
  bytesSent: number;
}

export interface CallEvents<S extends StreamLike = DefaultStream> {
  /** The far end rings. */
  ringing: [];
  /** There is something to hear before the answer: an announcement, a ringing tone. */
  progress: [];
  /** Answered, and media flows. */
  connected: [];
  /** Held by us or by somebody else of the call, and taken back. */
  held: [by: "us" | "them"];
  resumed: [];
  /** Our own microphone. */
  muted: [isMuted: boolean];
  /** The other side of a direct call says that it is muted. */
  peermuted: [isMuted: boolean];
  /** What is received or sent changed: a track came or went. */
  track: [stream: S, kind: string];
  localtrack: [stream: S, kind: string];
  quality: [quality: Quality];
  /** The network is interrupted; followed by `connected` or `ended`. */
  reconnecting: [];
  /** Something failed that does not end the call, such as a screen share that was refused. */
  error: [error: VoipError];
  /** The last event. All that the call held is released. */
  ended: [end: End];
}

export interface CallOptions<S extends StreamLike = DefaultStream> {
  /** A camera picture is sent; false unless given. */
  video?: boolean | object;
  /** Constraints of the microphone; true unless given. */
  audio?: boolean | object;
  /** A stream of one's own instead; it is never stopped by the client. */
  stream?: S;
  /** Browser to browser over the relay, past Asterisk; the target is a user id then. */
  direct?: boolean;
  /** Gives the call up while it is being made: rejects with `aborted`. */
  signal?: AbortSignalLike;
  metadata?: Record<string, string>;
}

export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(name: "abort", listener: () => void): void;
  removeEventListener(name: "abort", listener: () => void): void;
}

/** One call of this client. */
export interface Call<S extends StreamLike = DefaultStream> {
  readonly id: string;
  readonly direction: "outgoing" | "incoming";
  /** `initiating`, `ringing`, `connected`, `held` or `ended`. */
  readonly state: "initiating" | "ringing" | "connected" | "held" | "ended";
  /** Whom one speaks with: what was dialled, or who calls (a number or a user id). */
  readonly remoteName: string;
  readonly remoteNumber: string;
  readonly callType: CallType;
  /** Whether the other browser is spoken to directly, not through Asterisk. */
  readonly isDirect: boolean;
  readonly isMuted: boolean;
  readonly isHeld: boolean;
  /** Whether a camera or a screen is sent. */
  readonly isSendingVideo: boolean;
  readonly isSharingScreen: boolean;
  readonly localStream: S | null;
  /** All that is received: sound, and pictures if there are any. */
  readonly remoteStream: S | null;
  /** One stream for each picture that is received now. */
  readonly videoStreams: S[];
  /** Milliseconds since 1970, or null. */
  readonly connectedAt: number | null;
  readonly end: End | null;
  readonly quality: Quality | null;

  /** Answers an incoming call. Rejects with a VoipError of the media; the call rings on then. */
  accept(options?: { video?: boolean | object; audio?: boolean | object; stream?: S }): Promise<void>;
  /** Refuses an incoming call. */
  reject(): Promise<void>;
  /** Ends the call, whatever its state; never rejects. */
  hangup(): Promise<void>;
  mute(): Promise<void>;
  unmute(): Promise<void>;
  hold(): Promise<void>;
  resume(): Promise<void>;
  /** Presses keys: 0-9, A-D, * and #. */
  dtmf(digits: string): Promise<void>;
  /** Leaves the call and has another number rung in one's place. */
  transfer(target: string): Promise<void>;
  startVideo(constraints?: object): Promise<void>;
  stopVideo(): Promise<void>;
  shareScreen(): Promise<void>;
  stopScreen(): Promise<void>;
  /** Takes another microphone or camera (a `deviceId` of `client.devices()`). */
  useDevice(kind: "audioinput" | "videoinput", deviceId: string): Promise<void>;

  on<K extends keyof CallEvents<S>>(
    event: K,
    listener: (...details: CallEvents<S>[K]) => void,
  ): () => void;
  off<K extends keyof CallEvents<S>>(
    event: K,
    listener: (...details: CallEvents<S>[K]) => void,
  ): void;
}

export type PresenceWord = "online" | "away" | "busy" | "offline" | "do_not_disturb";

export interface PresenceStatus {
  user_id: string;
  status: PresenceWord;
  status_message: string | null;
}

export interface Presence {
  /** One's own, or another user's; null where nothing is known. */
  get(user?: string): Promise<PresenceStatus | null>;
  set(status: PresenceWord, message?: string): Promise<PresenceStatus>;
  /** All users that the service knows of. */
  list(): Promise<PresenceStatus[]>;
  /** Calls the listener at each change of a user's, or of everybody's with "all". Returns a stop. */
  subscribe(user: string, listener: (status: PresenceStatus) => void): () => void;
}

export interface Room {
  id: string;
  name: string;
  owner_id: string;
  participants: string[];
  max_participants: number;
  is_active: boolean;
  is_locked: boolean;
  number: string | null;
  members: {
    id: string;
    user_id: string | null;
    number: string | null;
    state: string;
    is_moderator: boolean;
    is_muted: boolean;
  }[];
}

export interface Rooms<S extends StreamLike = DefaultStream> {
  create(name: string, options?: { maxParticipants?: number; number?: string; settings?: object }): Promise<Room>;
  list(): Promise<Room[]>;
  get(roomId: string): Promise<Room>;
  /** Comes in with a microphone: the room as a call of its own. */
  join(roomId: string, options?: CallOptions<S> & { password?: string }): Promise<Call<S>>;
  leave(roomId: string): Promise<Room>;
  close(roomId: string): Promise<Room>;
}

export interface ClientEvents<S extends StreamLike = DefaultStream> {
  /** Somebody calls: `accept()` or `reject()` it. */
  incoming: [call: Call<S>];
  /**
   * How the service is reached: `connected` by the socket, `polling` without it (calls go on,
   * incoming ones may be missed), `unauthorized` until there is another token, `closed`.
   */
  connection: [state: ConnectionState];
  presence: [status: PresenceStatus];
  /** A call of this user changed, here or elsewhere. */
  callchange: [record: CallRecord];
  notification: [notification: { title: string; message: string; level: string }];
}

export type ConnectionState = "connecting" | "connected" | "polling" | "unauthorized" | "closed";

export class AsteriskVoIPClient<S extends StreamLike = DefaultStream> {
  constructor(options: ClientOptions<S>);

  readonly connection: ConnectionState;
  /** Who the service says that this is; null until it has said so. */
  readonly userId: string | null;
  readonly calls: ReadonlyMap<string, Call<S>>;
  readonly presence: Presence;
  readonly rooms: Rooms<S>;

  /**
   * Checks the token and opens the socket. Rejects with `unauthorized`, or `service_away` when the
   * service cannot be reached at all; resolves without the socket when only that fails.
   */
  connect(): Promise<void>;
  /** Ends all calls but those that only ring, and the socket. The client can connect again. */
  close(): Promise<void>;
  /** Another token from now on, after `unauthorized` or before the old one expires. */
  setToken(token: string | TokenSource): void;

  /**
   * Calls a number, a dial string (`PJSIP/desk`) or a user id. Resolves when the call exists and
   * its media is there; rejects with a VoipError before. What happens then are its events.
   */
  call(target: string, options?: CallOptions<S>): Promise<Call<S>>;

  /** The documented steps of it, one by one. */
  initiateCall(
    participants: string[],
    callType?: CallType,
    options?: { direct?: boolean; metadata?: Record<string, string> },
  ): Promise<CallRecord>;
  setupWebRTC(callId: string, options?: CallOptions<S>): Promise<Call<S>>;
  sendSignaling(
    callId: string,
    messageType: MessageKind,
    payload?: unknown,
    toUser?: string,
  ): Promise<SignalingMessage>;

  /** The same as the methods of the call with this id. */
  accept(callId: string, options?: { video?: boolean | object; stream?: S }): Promise<void>;
  reject(callId: string): Promise<void>;
  hangup(callId: string): Promise<void>;
  mute(callId: string): Promise<void>;
  unmute(callId: string): Promise<void>;
  hold(callId: string): Promise<void>;
  resume(callId: string): Promise<void>;
  dtmf(callId: string, digits: string): Promise<void>;
  transfer(callId: string, target: string): Promise<void>;

  /** Microphones, speakers and cameras; labels are empty before the first permission. */
  devices(): Promise<{ kind: string; deviceId: string; label: string }[]>;
  /** STUN and TURN servers for an RTCPeerConnection, asked for anew when they expire. */
  iceServers(): Promise<{ urls: string[]; username?: string; credential?: string }[]>;

  on<K extends keyof ClientEvents<S>>(
    event: K,
    listener: (...details: ClientEvents<S>[K]) => void,
  ): () => void;
  off<K extends keyof ClientEvents<S>>(
    event: K,
    listener: (...details: ClientEvents<S>[K]) => void,
  ): void;
}
