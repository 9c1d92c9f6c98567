// A telephone: dial, answer, speak, hang up.

import React, { useEffect, useMemo, useState } from "react";
import { Button, StyleSheet, Text, TextInput, View } from "react-native";
import { type MediaStream, RTCView } from "react-native-webrtc";
import { type Call, type ConnectionState, type EndReason, type TokenSource, VoipError } from "sge-voip";

import { makeClient } from "./client";
import { useCall } from "./useCall";

const REASONS: Record<EndReason, string> = {
  busy: "The line is busy",
  no_answer: "Nobody answers",
  unreachable: "The phone cannot be reached",
  unknown: "There is no such number",
  refused: "The call was refused",
  cancelled: "The call was cancelled",
  ended: "The call has ended",
  media_failed: "No sound got through",
  gateway_lost: "The telephone system is away",
  left: "This phone was away for too long",
  answered_elsewhere: "Answered on another device",
  failed: "The call failed",
};

export interface PhoneProps {
  /** Origin of the service, such as `https://pbx.example.org`. */
  baseUrl: string;
  token: TokenSource;
}

export function Phone({ baseUrl, token }: PhoneProps): React.JSX.Element {
  const client = useMemo(() => makeClient(baseUrl, token), [baseUrl, token]);
  const [connection, setConnection] = useState<ConnectionState>(client.connection);
  const [call, setCall] = useState<Call<MediaStream> | null>(null);
  const [number, setNumber] = useState("");
  const [words, setWords] = useState("");

  const fail = (error: unknown): void =>
    setWords(error instanceof VoipError ? `${error.message} (${error.code})` : String(error));

  useEffect(() => {
    const take = (incoming: Call<MediaStream>): void => setCall((current) => current ?? incoming);
    const stops = [client.on("connection", setConnection), client.on("incoming", take)];
    client.connect().catch(fail);
    return () => {
      stops.forEach((stop) => stop());
      void client.close();
    };
  }, [client]);

  useEffect(() => call?.on("ended", ({ reason }) => {
    setWords(REASONS[reason]);
    setCall(null);
  }), [call]);

  const dial = (): void => {
    setWords("");
    client.call(number).then(setCall, fail);
  };

  return (
    <View style={styles.phone}>
      <Text accessibilityRole="header">{connection}</Text>
      {call ? (
        <CallView call={call} onError={fail} />
      ) : (
        <>
          <TextInput
            accessibilityLabel="Number"
            keyboardType="phone-pad"
            value={number}
            onChangeText={setNumber}
          />
          <Button title="Call" onPress={dial} disabled={!number} />
        </>
      )}
      <Text accessibilityLiveRegion="polite">{words}</Text>
    </View>
  );
}

interface CallViewProps {
  call: Call<MediaStream>;
  onError: (error: unknown) => void;
}

function CallView({ call, onError }: CallViewProps): React.JSX.Element {
  useCall(call);
  const isRinging = call.direction === "incoming" && call.state === "ringing";
  const act = (action: () => Promise<void>) => () => void action().catch(onError);
  return (
    <View>
      <Text>{call.remoteName || call.remoteNumber}</Text>
      <Text>{call.state}</Text>
      {call.quality && <Text>{call.quality.word}</Text>}
      {call.videoStreams.map((stream) => (
        <RTCView key={stream.id} streamURL={stream.toURL()} style={styles.video} />
      ))}
      {isRinging && <Button title="Answer" onPress={act(() => call.accept())} />}
      <Button
        title={call.isMuted ? "Unmute" : "Mute"}
        onPress={act(() => (call.isMuted ? call.unmute() : call.mute()))}
      />
      <Button
        title={call.isHeld ? "Resume" : "Hold"}
        onPress={act(() => (call.isHeld ? call.resume() : call.hold()))}
        disabled={call.connectedAt === null}
      />
      <Button title="Hang up" onPress={act(() => call.hangup())} />
    </View>
  );
}

const styles = StyleSheet.create({
  phone: { padding: 16, gap: 12 },
  video: { height: 240 },
});
