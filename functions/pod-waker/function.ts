import { jobs, pods } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { decide } from "./decide.ts"
import { hasPulled, isSomewhere, observe, Observed, mapEvent } from "./observe.ts"

/** An image that is on a node → the Pods there that waited for it are woken. */
export default defineFunction({
  name: "pod-waker",
  on: [changed(nixBuilds), changed(jobs), sweep],
  permissions: [
    // Only to set one annotation: the policy `enbi-functions-pods` refuses every other change.
    allow(pods, "list", "patch"),
    allow(nixBuilds, "get", "list"),
    allow(jobs, "get", "list")
  ],
  ignorePredicates: [
    ignoreIf(nixBuilds, (build, event) => isDeletion(event) || !isSomewhere(build)),
    ignoreIf(jobs, (job, event) => isDeletion(event) || !hasPulled(job))
  ],
  mapEvent,
  observe,
  Observed,
  decide,
  // kubelet changes Pods all the time, and one of them holds up no other.
  restsOn: () => () => [],
  refused: addRefusal
})
