import { changed, sweep } from "../../lib/events.ts"
import { defineFunction } from "../../lib/function.ts"
import { systemNamespace } from "../../lib/names.ts"
import { decide } from "./decide.ts"
import { observe, Observed, subjects } from "./observe.ts"
import { claimsUnder } from "./tag.ts"
import { phases } from "./phases.ts"

/** NixBuilds without a node → `status.buildNode`. */
export default defineFunction({
  name: "scheduler",
  on: [changed("NixBuild"), changed("Node"), changed("Lease"), sweep],
  permissions: [
    { apiGroups: [""], resources: ["nodes"], verbs: ["list"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "list"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds/status"], verbs: ["patch"] },
    { apiGroups: [""], resources: ["events"], verbs: ["get", "create"] },
    {
      namespace: systemNamespace,
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "list", "create", "patch"]
    }
  ],
  subjects,
  observe,
  Observed,
  decide,
  restsOn: claimsUnder,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] }),
  phases: (_, done) => phases(done)
})
