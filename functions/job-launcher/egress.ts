/**
 * What the builds of a namespace may reach, seen to before one begins:
 *
 * | asked for by                                        | is                 |
 * |-----------------------------------------------------|--------------------|
 * | the Namespace's annotation                          | `public` or `open` |
 * | without it, caches of a time when nothing was closed | `open`             |
 * | without them, the setting                           | `public` or `open` |
 *
 * `public` is a NetworkPolicy of ours, and `open` none. Where somebody else's
 * selects build Pods for egress there is none either: what one policy allows
 * no other can forbid, so ours would open what theirs closes.
 */
import { Equal, Schema } from "effect"
import { type Action, referTo } from "../../lib/runtime/action.ts"
import { namespaceOf } from "../../lib/kubernetes/kind.ts"
import { isOurs } from "../../lib/kubernetes/kinds.ts"
import { holdsEgress, networkPolicies, NetworkPolicy } from "../../lib/kubernetes/network-policy.ts"
import type { NixBuild } from "../../lib/api/nixbuild.ts"
import { isBuildEgress, makeEgressPolicy } from "../../lib/api/egress.ts"
import { podBelongingTo } from "../../lib/nixbuild/job.ts"
import { buildEgressAnnotation, keptOpenAnnotation } from "../../lib/api/annotations.ts"
import { egressPolicyName } from "../../lib/api/names.ts"
import type { AnnotatedJob } from "./step.ts"
import type { LauncherSettings } from "./settings.ts"

/** What there is in the namespace that says what its builds may reach. */
export const Egress = Schema.Struct({
  /** The Namespace's annotation. */
  asked: Schema.optionalKey(Schema.String),
  /** It has a cache of a time when nothing was closed. */
  isOfOldCaches: Schema.Boolean,
  policies: Schema.Array(NetworkPolicy)
})
export type Egress = typeof Egress.Type

export interface EgressStep {
  /** What is done before a build Job is made. */
  readonly actions: ReadonlyArray<Action>
  /** Why none may be made. */
  readonly obstacle?: string
  /** The ranges that our policy closes to it. */
  readonly closedCidrs?: ReadonlyArray<string>
  /** Nobody asked for `open`. */
  readonly isKeptOpen?: true
}

interface World {
  readonly build: NixBuild
  readonly settings: LauncherSettings
  /** Absent: a record of a time when nothing was closed. */
  readonly egress?: Egress
}

export const egressStep = ({ build, egress, settings }: World): EgressStep => {
  if (egress === undefined) return { actions: [] }
  const { asked, isOfOldCaches, policies } = egress
  if (asked !== undefined && !isBuildEgress(asked)) {
    return { actions: [], obstacle: `${buildEgressAnnotation} is ${JSON.stringify(asked)}.` }
  }
  const named = policies.find(({ metadata }) => metadata.name === egressPolicyName)
  const ours = named !== undefined && isOurs(named) ? named : undefined
  const others = policies.filter((policy) => policy !== ours && holdsEgress(policy, labelsOf(build)))
  if (others.length > 0) {
    const names = others.map(({ metadata }) => metadata.name).join(", ")
    return { actions: remove(ours, `What builds may reach is said by ${names} alone`) }
  }
  const wanted = asked ?? (isOfOldCaches ? "open" : settings.buildEgress)
  if (wanted === "open") {
    const isKeptOpen = asked === undefined && settings.buildEgress !== "open"
    return { actions: remove(ours, "Builds may reach everything"), ...(isKeptOpen ? { isKeptOpen } : {}) }
  }
  const { closedCidrs } = settings
  const policy = makeEgressPolicy({ closedCidrs, namespace: namespaceOf(build) })
  if (named !== undefined && ours === undefined) {
    return { actions: [], obstacle: `NetworkPolicy ${egressPolicyName} is not ours: delete it, or name it otherwise.` }
  }
  return { actions: put(ours, policy), closedCidrs }
}

/** Of a build Pod when it is there: what Kubernetes' Job controller adds can't be known, except that it is there. */
const labelsOf = (build: NixBuild): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    ["controller-uid", "job-name"].flatMap((key) => [
      [key, ""],
      [`batch.kubernetes.io/${key}`, ""]
    ])
  ),
  ...podBelongingTo(build).labels
})

const remove = (ours: NetworkPolicy | undefined, why: string): ReadonlyArray<Action> =>
  ours === undefined ? [] : [{ action: "Delete", why, target: referTo(networkPolicies, ours) }]

const put = (ours: NetworkPolicy | undefined, policy: ReturnType<typeof makeEgressPolicy>): ReadonlyArray<Action> => {
  if (ours === undefined) return [{ action: "Create", why: "Builds may reach what is public", object: policy }]
  const { spec } = policy
  if (Equal.equals(ours.spec, spec)) return []
  return [
    {
      action: "Patch",
      why: "Builds may reach what is public, as it is set now",
      target: referTo(networkPolicies, ours),
      patch: { spec: { ...spec, podSelector: { ...spec.podSelector, matchLabels: null }, ingress: null } }
    }
  ]
}

/** What is said of a build Job to which all is open for no other reason than the age of its namespace's caches. */
export const keptOpenRemark = (job: AnnotatedJob): string => {
  const { annotations = {}, namespace } = job.metadata
  return annotations[keptOpenAnnotation] === undefined
    ? ""
    : `\nIt may reach the whole network, as builds of this namespace could before ${buildEgressAnnotation} was there: kubectl annotate namespace ${namespace} ${buildEgressAnnotation}=public closes the cluster's own addresses to it, =open leaves it so without these words.`
}
