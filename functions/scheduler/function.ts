import { events, leases, nodes } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, sweep } from "../../lib/events.ts"
import { allow, allowStatus, defineFunction } from "../../lib/function.ts"
import { decide } from "./decide.ts"
import { observe, Observed, subjects } from "./observe.ts"
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
  subjects,
  observe,
  Observed,
  decide,
  restsOn: claimsUnder,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] })
})
