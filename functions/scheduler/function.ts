import { events, leases, nodes } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, allowStatus, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { newClaims } from "../../lib/nixbuild/map-event.ts"
import { decide } from "./decide.ts"
import { keepsItsSlots, mapEvent, observe, Observed } from "./observe.ts"
import { claimsUnder } from "./tag.ts"

/** NixBuilds without a node → `status.buildNode`. */
export default defineFunction({
  name: "scheduler",
  on: [changed(nixBuilds), changed(nodes), changed(leases), sweep],
  sets: ["Scheduled"],
  permissions: [
    allow(nodes, "list"),
    allow(nixBuilds, "list"),
    allowStatus(nixBuilds),
    allow(events, "get", "create"),
    allow(leases, "get", "list", "create", "patch")
  ],
  ignorePredicates: [ignoreIf(nixBuilds, (build, event) => !isDeletion(event) && keepsItsSlots(build)), newClaims],
  settings: ["maxBuildsPerNode", "nodeRepel"],
  mapEvent,
  observe,
  Observed,
  decide,
  restsOn: claimsUnder,
  refused: addRefusal
})
