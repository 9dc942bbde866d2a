import { pods } from "../../lib/api/kubernetes.ts"
import { changed, sweep } from "../../lib/events.ts"
import { defineFunction, ignore } from "../../lib/function.ts"
import { decide } from "./decide.ts"
import { isOpen, observe, Observed, subjects } from "./observe.ts"
import { phases } from "./phases.ts"

/** Pods that fail for a missing image → NixBuilds. */
export default defineFunction({
  name: "pod-failure-detector",
  on: [changed("Pod"), changed("NixBuild"), sweep],
  permissions: [
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
    { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "create", "patch"] },
    { apiGroups: [""], resources: ["events"], verbs: ["get", "list", "create"] }
  ],
  ignores: [ignore(pods, (pod) => !isOpen(pod))],
  subjects,
  observe,
  Observed,
  decide,
  refused: (observed, refusal) => ({ ...observed, refusal }),
  phases
})
