import {
  events,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods
} from "../../lib/kubernetes/kinds.ts"
import { networkPolicies } from "../../lib/kubernetes/network-policy.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, allowStatus, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { isBegun } from "../../lib/nixbuild/launch.ts"
import { hasEnded } from "../../lib/nixbuild/map-event.ts"
import { decide } from "./decide.ts"
import { isOfVolume, isOpen, observe, Observed, mapEvent } from "./observe.ts"
import { settings } from "./settings.ts"

/** NixBuilds with a node → volume, build Job. */
export default defineFunction({
  name: "job-launcher",
  on: [changed(nixBuilds), changed(jobs), sweep],
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
    allowStatus(nixBuilds)
  ],
  ignorePredicates: [
    ignoreIf(jobs, (job) => !isOfVolume(job) || !hasEnded(job)),
    ignoreIf(nixBuilds, (build, event) => isDeletion(event) || !isOpen(build) || isBegun(build))
  ],
  settings,
  mapEvent,
  observe,
  Observed,
  decide,
  refused: addRefusal
})
