/** The time as Kubernetes writes it: RFC 3339, UTC, whole seconds. */
import { Clock, DateTime, Effect } from "effect"

export const currentTime = Effect.map(Clock.currentTimeMillis, (millis) =>
  DateTime.formatIso(DateTime.makeUnsafe(Math.floor(millis / 1000) * 1000)).replace(".000Z", "Z")
)
