import { changed, sweep } from "../../lib/events.ts"
import { defineFunction } from "../../lib/function.ts"
import { decide } from "./decide.ts"
import { observe, Observed, subjects } from "./observe.ts"

/** NixBuilds without a node → `status.buildNode`. */
export default defineFunction({
  name: "scheduler",
  on: [changed("NixBuild"), changed("Node"), sweep],
  permissions: [
    { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "list", "watch"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds/status"], verbs: ["patch"] }
  ],
  subjects,
  observe,
  Observed,
  decide
})
