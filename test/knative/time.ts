/** Time: as Go writes it, and how it passes. */
import { Context, Effect } from "effect"

/** RFC 3339 in UTC, with up to nine digits and no zeros at the end. */
export const nanoTime = (nanos: bigint): string => {
  const seconds = new Date(Number(nanos / 1_000_000n)).toISOString().slice(0, "2026-01-01T00:00:00".length)
  const fraction = String(nanos % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "")
  return `${seconds}${fraction === "" ? "" : `.${fraction}`}Z`
}

/** How the waits of back-offs and time-outs pass. Tests let them pass at once and note them. */
export const Wait = Context.Reference<(millis: number) => Effect.Effect<void>>("enbi/test/knative/Wait", {
  defaultValue: () => (millis) => Effect.sleep(millis)
})
