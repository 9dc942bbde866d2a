import { events, jobs, leases, namespaces, nodes, pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, allowStatus, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { hasEnded, newClaims } from "../../lib/nixbuild/map-event.ts"
import { decide } from "./decide.ts"
import { isOfBuild, isOpen, isUnderWay, observe, Observed, mapEvent } from "./observe.ts"

/** Builds that succeeded → the import Job on each node that wants the image, or the publish Job for the registry. */
export default defineFunction({
  name: "importer",
  on: [changed(nixBuilds), changed(jobs), changed(leases), sweep],
  permissions: [
    allow(nodes, "get"),
    allow(namespaces, "get"),
    allow(pods, "list"),
    allow(events, "get", "create"),
    // The policy `enbi-functions-jobs` refuses all but those that import and publish.
    allow(jobs, "get", "list", "create"),
    allow(nixBuilds, "get", "list"),
    allowStatus(nixBuilds),
    allow(leases, "get", "create", "patch")
  ],
  ignorePredicates: [
    ignoreIf(jobs, (job) => !isOfBuild(job) || !hasEnded(job)),
    newClaims,
    ignoreIf(nixBuilds, (build, event) => isDeletion(event) || !isOpen(build) || isUnderWay(build))
  ],
  settings: ["builderImage", "registryPublishUrl"],
  mapEvent,
  observe,
  Observed,
  decide,
  refused: addRefusal
})
