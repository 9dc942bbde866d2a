/**
 * Removes what nobody needs any more: Jobs, cache volumes, finished NixBuilds,
 * claims on image tags. What is wanted again is made again by whoever makes it.
 * Sets no condition.
 */
import { type Action, isAbout } from "../../lib/runtime/action.ts"
import { removeBuilds } from "./builds/decide.ts"
import { removeJob } from "./jobs/decide.ts"
import { releaseTag } from "./tags/decide.ts"
import type { Observed } from "./observe.ts"
import { removeVolume } from "./volumes/decide.ts"

export const decide = (world: typeof Observed.Type): ReadonlyArray<Action> =>
  [
    // First: whoever deletes a NixBuild waits for its Jobs to end.
    ...world.jobs.flatMap(removeJob),
    ...removeBuilds(world),
    ...world.tags.flatMap((tag) => releaseTag(tag, world.time)),
    ...world.volumes.flatMap((volume) => removeVolume(volume, world.builderImage))
  ].filter((action) => world.refusals.every((refusal) => !isAbout(action, refusal)))
