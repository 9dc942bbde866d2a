/** What a Pod does with an existing NixBuild: adds its node, and gets Events about the progress. */
import { conditionOf } from "../../lib/kubernetes/condition.ts"
import { Equal } from "effect"
import { type Action, referTo } from "../../lib/runtime/action.ts"
import type { Condition } from "../../lib/api/nixbuild-condition.ts"
import { isObstacle, reasons } from "../../lib/api/reasons.ts"
import {
  conditionsOf,
  endedAttempt,
  type NixBuild,
  nixBuilds,
  nodeStatusOf,
  wantedNodes
} from "../../lib/api/nixbuild.ts"
import { isUnderWay } from "../../lib/nixbuild/slots.ts"
import { lastLines } from "../../lib/last-lines.ts"
import type { Observed } from "./observe.ts"
import type { Request } from "./request.ts"
import { record } from "./record.ts"

interface Followed {
  readonly build: NixBuild
  readonly request: Request
}

export const follow = (observed: Observed, { build, request }: Followed): ReadonlyArray<Action> => {
  const { name, uid } = build.metadata
  const { nodeName = "" } = observed.pod.spec
  if (build.metadata.deletionTimestamp !== undefined) return []
  const { isAnother, words } = differences(request, build)
  if (isAnother) {
    const message = `No image is built for this Pod: NixBuild ${name}, whose name this Pod's NixBuild would get, has ${words}. Delete it, and the right one is created.`
    return record(observed, { reason: "NixBuildDiffers", message, key: `${uid} ${words}` })
  }
  const there = wantedNodes(build).includes(nodeName) ? nodeStatusOf(build, nodeName) : undefined
  if (there?.reason === "ImagePulled") return []
  const differs =
    words === ""
      ? []
      : record(observed, {
          reason: "NixBuildChanged",
          message: `NixBuild ${name} was edited and has ${words}. The NixBuild's values are used. To keep them for later Pods, set them in the annotations of their template.`,
          key: `${uid} ${words}`,
          build
        })
  const failed = conditionOf(conditionsOf(build), "Success")
  if (failed?.status === "False") return [...differs, ...recordFailure(observed, { build, failed })]
  // Neither has failed: what keeps the attempt from beginning may pass.
  if (there?.message !== undefined) {
    const message = `NixBuild ${name} is waiting on node ${nodeName}: ${there.message}`
    return [...differs, ...record(observed, { reason: there.reason, message, key: uid, build })]
  }
  if (there !== undefined && !isUnderWay(there)) {
    const next =
      there.retryTime === undefined
        ? `: kubectl describe nixbuild ${name}`
        : `; attempt ${there.attempt} starts at ${there.retryTime}. ${reasons[there.reason]}`
    const message = `NixBuild ${name} could not bring the image to node ${nodeName}${next}`
    return [
      ...differs,
      ...record(observed, { reason: there.reason, message, key: `${uid} ${endedAttempt(there)}`, build })
    ]
  }
  return [
    ...(build.spec.nodes.includes(nodeName) ? [] : [addNode(build, nodeName)]),
    ...recordBuilding(observed, { build, request }),
    ...differs,
    ...recordObstacle(observed, build)
  ]
}

/** What of the NixBuild is not as the Pod asks for it. */
const differences = ({ wanted }: Request, { spec }: NixBuild) => {
  const list = (entries: ReadonlyArray<readonly [string, unknown, unknown]>) =>
    entries
      .filter(([, asked, is]) => !Equal.equals(asked, is))
      .map(
        ([field, asked, is]) =>
          `${field} ${JSON.stringify(is) ?? "not set"} (the Pod asks for ${JSON.stringify(asked) ?? "none"})`
      )
      .join(", ")
  const another = list([
    ...(["flakeUrl", "imageTag", "packageName", "system"] as const).map(
      (field) => [field, wanted[field], spec[field]] as const
    ),
    ["delivery", "Nodes", spec.delivery ?? "Nodes"]
  ])
  const { resources, sandbox = true, timeoutSeconds = 3600 } = wanted
  const changed = list([
    ["sandbox", sandbox, spec.sandbox],
    ["timeoutSeconds", timeoutSeconds, spec.timeoutSeconds],
    ["resources", resources, spec.resources]
  ])
  return { isAnother: another !== "", words: another === "" ? changed : another }
}

const recordBuilding = (observed: Observed, { build, request }: Followed): ReadonlyArray<Action> => {
  const { name, uid } = build.metadata
  const containers = request.containers.map((container) => container.name).join(", ")
  const message = `NixBuild ${name} builds the image of container ${containers}: kubectl describe nixbuild ${name}`
  return record(observed, { reason: "ImageBuilding", message, key: uid, build })
}

// Since when: what comes back after it was gone is said again.
const recordObstacle = (observed: Observed, build: NixBuild): ReadonlyArray<Action> =>
  conditionsOf(build)
    // `Ready` repeats the words of the condition that holds the build up.
    .filter(({ reason, status, type }) => type !== "Ready" && status === "False" && isObstacle(reason))
    .flatMap(({ lastTransitionTime, message, reason }) =>
      record(observed, {
        reason,
        message: `NixBuild ${build.metadata.name} waits: ${message}`,
        key: `${build.metadata.uid} ${lastTransitionTime}`,
        build
      })
    )

const addNode = (build: NixBuild, nodeName: string): Action => ({
  action: "Patch",
  why: `A Pod on ${nodeName} waits for the image`,
  target: referTo(nixBuilds, build),
  patch: { spec: { nodes: [...build.spec.nodes, nodeName] } }
})

const recordFailure = (
  observed: Observed,
  { build, failed }: { readonly build: NixBuild; readonly failed: Condition }
): ReadonlyArray<Action> => {
  const attempt = build.status?.attempt ?? 1
  const log = build.status?.failure?.log ?? ""
  return record(observed, {
    reason: failed.reason,
    message: `NixBuild ${build.metadata.name} failed: ${failed.message}${log === "" ? "" : `\n${lastLines(log, 500)}`}`,
    // Each attempt that a person asked for may fail anew.
    key: attempt === 1 ? build.metadata.uid : `${build.metadata.uid} ${attempt}`,
    build
  })
}
