import { events, jobs, leases, nodes, pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, allowStatus, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { nixBuildAnnotation } from "../../lib/api/annotations.ts"
import { podsOfOthers } from "../../lib/nixbuild/map-event.ts"
import { isOnItsWay } from "../../lib/nixbuild/work.ts"
import { decide } from "./decide.ts"
import { isConcerned, tellsNothing } from "./observe-news.ts"
import { observe, Observed, mapEvent } from "./observe.ts"
import { sets } from "./sets.ts"

/** Finished Jobs → the NixBuild's outcome. */
export default defineFunction({
  name: "importer-status",
  on: [changed(nixBuilds), changed(jobs), changed(pods), sweep],
  sets,
  permissions: [
    allow(nodes, "get"),
    // Only to end ours whose work has failed: the policy `enbi-functions-pods` refuses every other change.
    allow(pods, "get", "list", "patch"),
    // Only of an attempt whose container never started: its slot is another's at once. retention removes the others.
    allow(jobs, "get", "list", "delete"),
    allow(nixBuilds, "get", "list"),
    allowStatus(nixBuilds),
    // Of our own Pods that do not start.
    allow(events, "create", "get", "list"),
    allow(leases, "get", "patch")
  ],
  ignorePredicates: [
    ignoreIf(jobs, (job) => job.metadata.annotations?.[nixBuildAnnotation] === undefined || tellsNothing(job)),
    podsOfOthers,
    ignoreIf(pods, isOnItsWay),
    ignoreIf(nixBuilds, (build, event) => isDeletion(event) || !isConcerned(build))
  ],
  settings: ["nodeRepel", "retryDelaysSeconds"],
  mapEvent,
  observe,
  Observed,
  decide,
  refused: addRefusal
})
