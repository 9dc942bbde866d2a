import {
  jobs,
  leases,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods
} from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { nixBuildAnnotation } from "../../lib/api/annotations.ts"
import { hasEnded } from "../../lib/nixbuild/map-event.ts"
import { decide } from "./decide.ts"
import { mayLeaveSomething, observe, Observed, mapEvent } from "./observe.ts"
import { around } from "./volumes/decide.ts"

/** What nobody needs any more → deleted. */
export default defineFunction({
  name: "retention",
  on: [changed(nixBuilds), changed(jobs), changed(namespaces), sweep],
  isRare: true,
  // It looks at everything with every event, and what is superfluous is so a little later too.
  pauseSeconds: 10,
  permissions: [
    allow(namespaces, "get", "list"),
    allow(nodes, "get", "list"),
    allow(pods, "list"),
    // Only ours: the policies `enbi-functions-volumes` and `enbi-functions-claims` refuse the rest.
    allow(persistentVolumes, "list", "delete"),
    allow(persistentVolumeClaims, "get", "delete"),
    allow(jobs, "get", "list", "create", "delete"),
    // Only what Pods asked for, or what says when: the policy `enbi-functions-nixbuilds` refuses the rest.
    allow(nixBuilds, "get", "list", "delete"),
    allow(leases, "list", "patch", "delete")
  ],
  ignorePredicates: [
    ignoreIf(nixBuilds, (build, event) => !isDeletion(event) && !mayLeaveSomething(build)),
    // Those of NixBuilds are looked at when these end; of the others, it goes on when the directories are removed.
    ignoreIf(
      jobs,
      (job, event) =>
        isDeletion(event) || job.metadata.annotations?.[nixBuildAnnotation] !== undefined || !hasEnded(job)
    )
  ],
  settings: ["builderImage", "failedBuildsHistoryLimit", "successfulBuildsHistoryLimit"],
  mapEvent,
  observe,
  Observed,
  decide,
  restsOn: around,
  refused: addRefusal
})
