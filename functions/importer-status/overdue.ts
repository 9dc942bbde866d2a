/**
 * Work whose program did not end itself in time. The time counts from the start
 * of its container: before that, nobody works.
 */
import { reasons } from "../../lib/api/reasons.ts"
import type { Failure, NixBuild } from "../../lib/api/nixbuild.ts"
import { deliveryOf } from "../../lib/nixbuild/delivery.ts"
import { overrunSince } from "../../lib/nixbuild/work.ts"
import type { Place } from "./observe.ts"

// The builder ends itself in time and says why; this is for one that cannot.
const graceSeconds = 60

// An import moves bytes on one node, and what is published goes to another in the same cluster.
const importSeconds = 1800

export const overdue = (build: NixBuild, place: Place, time: string): Failure | undefined => {
  if (
    place.import !== undefined &&
    overrunSince(place.import.pod, { limitSeconds: importSeconds, time }) !== undefined
  ) {
    const { name } = place.import.job.metadata
    const { failed, taker } = deliveryOf(build)
    return { reason: failed, message: `Job ${name} took longer than ${importSeconds} s: look at ${taker}.` }
  }
  const limitSeconds = build.spec.timeoutSeconds + graceSeconds
  return place.import === undefined && overrunSince(place.build?.pod, { limitSeconds, time }) !== undefined
    ? { reason: "TimedOut", message: reasons.TimedOut }
    : undefined
}
