// The client library with the WebRTC classes of react-native-webrtc in the place of a browser's.

import { MediaStream, RTCPeerConnection, mediaDevices } from "react-native-webrtc";
import { AsteriskVoIPClient, type TokenSource } from "sge-voip";

export type Client = AsteriskVoIPClient<MediaStream>;

/** A client of the service at `baseUrl`; `token` gives a token, and a new one when it was refused. */
export function makeClient(baseUrl: string, token: TokenSource): Client {
  return new AsteriskVoIPClient<MediaStream>({
    baseUrl,
    token,
    media: { RTCPeerConnection, MediaStream, mediaDevices, WebSocket, fetch },
  });
}
