import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/events.ts"
import { defineFunction, ignore } from "../../lib/function.ts"
import { systemNamespace } from "../../lib/names.ts"
import { newClaims } from "../../lib/nixbuild-subjects.ts"
import { decide } from "./decide.ts"
import { keepsItsSlots, observe, Observed, subjects } from "./observe.ts"
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
  ignores: [ignore(nixBuilds, (build, event) => !isDeletion(event) && keepsItsSlots(build)), newClaims],
  subjects,
  observe,
  Observed,
  decide,
  restsOn: claimsUnder,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] }),
  phases: (_, done) => phases(done)
})
