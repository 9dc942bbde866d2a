/** The time as Kubernetes writes it: RFC 3339, UTC, whole seconds. So written, instants sort as text. */
import { Clock, DateTime, Effect } from "effect"

const format = (millis: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(Math.floor(millis / 1000) * 1000)).replace(".000Z", "Z")

export const currentTime = Effect.map(Clock.currentTimeMillis, format)

/** With milliseconds: for events, which say when they happened. */
export const preciseTime = Effect.map(DateTime.now, DateTime.formatIso)

/** Milliseconds since 1970. */
export const millisOf = (time: string): number => DateTime.toEpochMillis(DateTime.makeUnsafe(time))

/** Negative when `to` comes first. */
export const secondsBetween = (from: string, to: string): number => (millisOf(to) - millisOf(from)) / 1000

/** `seconds` before `to`. */
export const secondsBefore = (to: string, seconds: number): string => format(millisOf(to) - seconds * 1000)

/** `seconds` after `from`, but not before `earliest`. */
export const secondsAfter = (from: string, seconds: number, earliest: string): string =>
  format(Math.max(millisOf(from) + seconds * 1000, millisOf(earliest)))
