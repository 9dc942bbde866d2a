/**
 * A NixImage gets one NixBuild for each system, and says how far they are.
 * Its name and tag in the registry belong to the first NixImage that wants
 * them; every image is served under its namespace's name too.
 */
import { Equal } from "effect"
import { conditionOf } from "../../lib/kubernetes/condition.ts"
import { namespaceOf } from "../../lib/kubernetes/kind.ts"
import type { Condition } from "../../lib/api/nixbuild-condition.ts"
import { conditionsOf, type Failure, hasFailed, type NixBuild, type System } from "../../lib/api/nixbuild.ts"
import { type NixImage, ownNameOf, type SystemStatus, wantedNameOf } from "../../lib/api/niximage.ts"
import { type Reason, reasons } from "../../lib/api/reasons.ts"
import { requestOf } from "../../lib/niximage/request.ts"
import { servedSentence } from "../../lib/niximage/served.ts"
import { patchStatus } from "../../lib/niximage/status.ts"
import type { Action } from "../../lib/runtime/action.ts"
import type { Observed } from "./observe.ts"
import { formerAfter } from "./former.ts"
import { buildNameOf, makeImageBuild, packageSetOf } from "./request.ts"

/** How far one system is, and what follows. */
interface Step {
  readonly status: SystemStatus
  readonly ready: Pick<Condition, "message" | "reason" | "status">
  readonly failure?: Failure
  readonly actions: ReadonlyArray<Action>
}

export const decide = (observed: Observed): ReadonlyArray<Action<"Ready" | "Stalled">> => {
  const { image, settings, systems, time } = observed
  if (image.metadata.deletionTimestamp !== undefined) return []
  const steps = systems.map((system) => stepOf(observed, system))
  const failed = steps.find(({ failure }) => failure !== undefined)
  const unready = failed ?? steps.find(({ status }) => status.status !== "Built")
  const holds = nameHeldBy(observed)
  const former = formerAfter(
    image,
    steps.map(({ status }) => status),
    { time, keepSeconds: settings.keepReplacedSeconds }
  )
  const ready = unready?.ready ?? (steps.length === 0 ? noSystem : served(observed, holds))
  return [
    ...steps.flatMap(({ actions }) => actions),
    ...patchStatus(image, {
      why: `${wantedNameOf(image)}: ${ready.message}`,
      time,
      conditions: [
        { ...ready, type: "Ready" },
        ...(failed === undefined && conditionOf(image.status?.conditions ?? [], "Stalled") === undefined
          ? []
          : [{ ...ready, type: "Stalled", status: failed === undefined ? "False" : "True" } as const])
      ],
      fields: {
        systems: steps.map(({ status }) => status),
        holds: holds ?? null,
        ...(former.length === 0 && image.status?.former === undefined
          ? {}
          : { former: former.length === 0 ? null : former }),
        failure: failed?.failure ?? null
      }
    })
  ]
}

const noSystem = {
  status: "False",
  reason: "NoMatchingNode",
  message: "No node has an architecture that Nix has a name for, so there is no system to build for."
} as const

const stepOf = (observed: Observed, system: System): Step => {
  const { builds, image, refusals, settings } = observed
  const build = buildNameOf(image, system, settings)
  const named = { system, build }
  const before = image.status?.systems?.find((one) => one.system === system && one.build === build)
  const waits = (message: string, reason: Reason = "Progressing"): Step => ({
    status: { ...named, status: "BuildPending", message },
    ready: { status: "Unknown", reason, message },
    actions: []
  })
  const there = builds.find(({ metadata }) => metadata.name === build)
  if (there === undefined) {
    // Retention removes NixBuilds of which enough are kept: what one has led to stands here.
    const ended = endedWith(observed, before)
    if (ended !== undefined) return { ...ended, actions: [] }
    const refusal = refusals.find(({ kind, name }) => kind === "NixBuild" && name === build)
    if (refusal?.isLasting === false) return waits(reasons.Progressing)
    if (refusal !== undefined) {
      const message = `NixBuild ${build} is not created: ${refusal.message}`
      return { ...waits(message), ready: { status: "False", reason: "NixBuildRefused", message } }
    }
    const message = `NixBuild ${build} is being created.`
    const object = makeImageBuild(image, system, settings)
    return { ...waits(message), actions: [{ action: "Create", why: `${wantedNameOf(image)} for ${system}`, object }] }
  }
  if (there.metadata.deletionTimestamp !== undefined) return waits(`NixBuild ${build} is being deleted.`)
  if (!isAsAsked(observed, there)) {
    const message = `${reasons.NixBuildDiffers} NixBuild ${build}: kubectl delete nixbuild -n ${namespaceOf(image)} ${build}`
    return { ...waits(message), ready: { status: "False", reason: "NixBuildDiffers", message } }
  }
  return { ...progressOf(there, named), actions: [] }
}

/** What a NixBuild that is gone has ended with. */
const endedWith = (observed: Observed, before: SystemStatus | undefined): Omit<Step, "actions"> | undefined => {
  if (before?.status === "Built") return { status: before, ready: served(observed, undefined) }
  const { conditions = [], failure } = observed.image.status ?? {}
  const ready = conditionOf(conditions, "Ready")
  return before?.status === "Failed" && failure !== undefined && ready !== undefined
    ? { status: before, ready, failure }
    : undefined
}

// Its name is computed, so somebody made it by hand.
const isAsAsked = ({ image, settings }: Observed, { spec }: NixBuild): boolean =>
  spec.flakeUrl === packageSetOf(image, settings) &&
  spec.delivery === "Registry" &&
  Equal.equals(spec.image, requestOf(image))

const progressOf = (
  build: NixBuild,
  { build: name, system }: Pick<SystemStatus, "build" | "system">
): Pick<Step, "failure" | "ready" | "status"> => {
  const { failure, imageDigest, settled: isSettled, status } = build.status ?? {}
  const said = conditionOf(conditionsOf(build), "Ready")
  const isReady = said?.status ?? "Unknown"
  const told = `NixBuild ${build.metadata.namespace}/${name}, ${system}: ${said?.message ?? reasons.Pending}`
  // Nobody has looked at it yet: that is only said of a NixImage which nobody has looked at.
  const reason = said === undefined || said.reason === "Pending" ? "Progressing" : said.reason
  const ready = { status: isReady, reason, message: told }
  const failed = (why: Failure) => ({
    status: { system, build: name, status: "Failed" as const, message: told },
    ready: { ...ready, status: "False" as const },
    failure: { ...why, message: `For ${system}: ${why.message}` }
  })
  if (hasFailed(build) && failure !== undefined) return failed(failure)
  if (isReady === "True" && imageDigest !== undefined) {
    return { status: { system, build: name, status: "Built", digest: imageDigest }, ready }
  }
  // It was built, and could not be published.
  if (said?.status === "False" && isSettled) return failed({ reason, message: said.message })
  const isBuilding = status === "Building" || status === "Importing"
  return { status: { system, build: name, status: isBuilding ? "Building" : "BuildPending", message: told }, ready }
}

/** The name and tag that this NixImage has in the registry: nobody else holds them, and nobody was first. */
const nameHeldBy = ({ image, rivals }: Observed): string | undefined => {
  const name = wantedNameOf(image)
  const isHolding = image.status?.holds === name
  const holders = rivals.filter(({ holds }) => holds === name)
  if (!isHolding && holders.length > 0) return undefined
  // Of two that hold it, as after a race, the older one keeps it.
  return (isHolding ? holders : rivals).some((rival) => isOlder(rival, image)) ? undefined : name
}

type Dated = Pick<NixImage, "metadata">

const isOlder = (one: Dated, other: Dated): boolean => ageOf(one) < ageOf(other)

const ageOf = ({ metadata }: Dated): string => `${metadata.creationTimestamp} ${metadata.uid}`

const served = ({ image, rivals, settings }: Observed, holds: string | undefined) => {
  const under = `${settings.imageRegistry}/${holds ?? ownNameOf(image)}`
  const holder = rivals.find((rival) => rival.holds === wantedNameOf(image))?.metadata
  const lost =
    holds !== undefined || holder === undefined
      ? ""
      : ` ${wantedNameOf(image)} belongs to NixImage ${holder.namespace}/${holder.name}.`
  return { status: "True", reason: "ImageServed", message: `${servedSentence(under)}${lost}` } as const
}
