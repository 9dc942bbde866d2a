/**
 * Brings an image of the registry to the nodes where Pods wait for it, by a Job
 * that has containerd pull it: the kubelet itself would pull at the end of its
 * back-off, which takes five minutes at worst. `pod-waker` wakes the Pods then.
 * A pull that fails is not repeated, since the kubelet comes in any case. Sets
 * no condition.
 */
import { type Action, isAbout } from "../../lib/runtime/action.ts"
import { systemOfNode } from "../../lib/api/system.ts"
import { makePullJob, pullJobName } from "../../lib/niximage/pull-job.ts"
import type { Observed } from "./observe.ts"

export const decide = ({ image, jobs, places, refusals, settings }: Observed): ReadonlyArray<Action> =>
  places
    .flatMap(({ node, references }) => {
      const system = systemOfNode(node)
      const digest = image.status?.systems?.find((one) => one.system === system)?.digest
      return system === undefined || digest === undefined
        ? []
        : references.map((reference) => ({ image, system, digest, node, reference }))
    })
    .filter((pulled) => jobs.every(({ metadata }) => metadata.name !== pullJobName(pulled)))
    .map((pulled): Action => ({
      action: "Create",
      why: `Pods on ${pulled.node.metadata.name} wait for ${pulled.reference}`,
      object: makePullJob(pulled, settings)
    }))
    .filter((action) => refusals.every((refusal) => !isAbout(action, refusal)))
