// The state of one call, kept for React.

import { useEffect, useReducer } from "react";
import type { MediaStream } from "react-native-webrtc";
import type { Call, CallEvents } from "sge-voip";

const EVENTS = [
  "ringing", "progress", "connected", "held", "resumed", "muted", "track", "localtrack",
  "reconnecting", "quality", "ended",
] as const satisfies readonly (keyof CallEvents)[];

/** Draws the component anew whenever something of the call changes. */
export function useCall(call: Call<MediaStream> | null): void {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (!call) return undefined;
    const stops = EVENTS.map((event) => call.on(event, draw));
    return () => stops.forEach((stop) => stop());
  }, [call]);
}
