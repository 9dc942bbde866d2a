/**
 * Brings what was built into containerd on each node that wants it, or into the
 * image registry: claims the tag where nobody has it any more, and makes the
 * import Job, or the publish Job in its place. Where something keeps it from
 * beginning, the node's entry in `status.nodes` says what. `importer-status`
 * reads how it ended.
 */
import { type Action, isAbout } from "../../lib/runtime/action.ts"
import type { Reason } from "../../lib/api/reasons.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import type { Node } from "../../lib/kubernetes/kinds.ts"
import { refusalWords } from "../../lib/runtime/event-recorder.ts"
import type { Refusal } from "../../lib/runtime/function.ts"
import { isForRegistry } from "../../lib/nixbuild/delivery.ts"
import { heldFields, tellHold, tellRefusal } from "../../lib/nixbuild/holds.ts"
import { holdImport } from "../../lib/nixbuild/slots.ts"
import { patchStatus } from "../../lib/nixbuild/status.ts"
import { makeImportJob } from "./import-job.ts"
import { makePublishJob } from "./publish-job.ts"
import { type Delivery, isDue, type Observed } from "./observe.ts"
import { type Admittance, admitImport } from "./tag.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action> => {
  const { build, claim, refusals, time } = world
  // Where the node is gone, it may come back, or importer-status gives it up.
  const due = world.deliveries.flatMap(({ node, ...delivery }) =>
    isDue(delivery) && node !== undefined ? [{ name: delivery.name, node }] : []
  )
  if (claim === undefined || due.length === 0) return []
  // A status that can't be written tells nothing, and without it nothing may be done.
  const ofStatus = refusals.find(({ kind }) => kind === nixBuilds.kind)
  if (ofStatus !== undefined) return tellRefusal(world, ofStatus)
  const admittance = admitImport(build, claim)
  const refusedClaim = refusalAmong(world, admittance.actions)
  const steps = due.map((delivery) => ({
    ...(refusedClaim === undefined ? nextStep(world, delivery, admittance) : refused(refusedClaim)),
    name: delivery.name
  }))
  const holds = steps.flatMap(({ hold, name }) =>
    hold === undefined ? [] : [holdImport(build, { ...hold, node: name, time })]
  )
  return [
    ...(refusedClaim === undefined ? admittance.actions : []),
    ...steps.flatMap(({ actions }) => actions),
    ...holds.flatMap((node) => tellHold(world, node)),
    ...(holds.length === 0
      ? []
      : patchStatus(build, {
          why: `On ${holds.map(({ name, reason }) => `${name}: ${reason}`).join(", ")}`,
          time,
          conditions: [],
          fields: heldFields(world, holds)
        }))
  ]
}

interface Step {
  readonly actions: ReadonlyArray<Action>
  /** What keeps the import from beginning. */
  readonly hold?: { readonly reason: Reason; readonly message: string }
}

interface Due extends Pick<Delivery, "name"> {
  readonly node: Node
}

/** Nothing while others have to end first what they have begun under the tag. */
const nextStep = (world: World, { name, node }: Due, { conflict, import: terms }: Admittance): Step => {
  if (conflict !== undefined) return { actions: [], hold: { reason: "TagConflict", message: conflict } }
  if (terms === undefined) return { actions: [] }
  const { build, builderImage, namespaceUid, registryPublishUrl } = world
  const create: Action = {
    action: "Create",
    why: `The build on ${name} succeeded`,
    object: isForRegistry(build)
      ? makePublishJob({ build, builderImage, namespaceUid, node: name, registryPublishUrl })
      : makeImportJob({ build, builderImage, namespaceUid, node, ...terms })
  }
  const refusal = refusalAmong(world, [create])
  return refusal === undefined ? { actions: [create] } : refused(refusal)
}

const refusalAmong = ({ refusals }: World, actions: ReadonlyArray<Action>): Refusal | undefined =>
  refusals.find((refusal) => actions.some((action) => isAbout(action, refusal)))

/** The step as it is when the API server refuses what it creates. */
const refused = (refusal: Refusal): Step => {
  if (!refusal.isLasting) return { actions: [] }
  const reason = refusal.kind === "Lease" ? "RequestRefused" : "PodRefused"
  return { actions: [], hold: { reason, message: refusalWords(refusal, reason) } }
}
