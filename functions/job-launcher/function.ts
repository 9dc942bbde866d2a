import {
  events,
  jobs,
  leases,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods
} from "../../lib/kubernetes/kinds.ts"
import { networkPolicies } from "../../lib/kubernetes/network-policy.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { allow, allowStatus, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { hasEnded, newClaims } from "../../lib/nixbuild/map-event.ts"
import { decide } from "./decide.ts"
import { isOpen, isStep, isUnderWay, observe, Observed, mapEvent } from "./observe.ts"
import { settings } from "./settings.ts"

/** NixBuilds with a node → volume, build Job, import Job. */
export default defineFunction({
  name: "job-launcher",
  on: [changed(nixBuilds), changed(jobs), changed(leases), sweep],
  sets: ["Launched"],
  permissions: [
    allow(nodes, "get"),
    allow(namespaces, "get"),
    allow(persistentVolumes, "get", "create"),
    allow(persistentVolumeClaims, "get", "list", "create"),
    // The policy `enbi-functions-networkpolicies` refuses all but the one of build Pods.
    allow(networkPolicies, "get", "list", "create", "patch", "delete"),
    // Only for dry runs: the policy `enbi-functions-pods` refuses the rest.
    allow(pods, "create", "list"),
    allow(events, "get", "list", "create"),
    allow(jobs, "get", "list", "create"),
    allow(nixBuilds, "get", "list"),
    // An owner reference that blocks deletion is a right over the owner's finalizers.
    { kind: nixBuilds, subresource: "finalizers", verbs: ["update"] },
    allowStatus(nixBuilds),
    allow(leases, "get", "create", "patch")
  ],
  ignorePredicates: [
    ignoreIf(jobs, (job) => !isStep(job) || !hasEnded(job)),
    newClaims,
    ignoreIf(nixBuilds, (build, event) => isDeletion(event) || !isOpen(build) || isUnderWay(build))
  ],
  settings,
  mapEvent,
  observe,
  Observed,
  decide,
  refused: (observed, refusal) => ({ ...observed, refusal })
})
