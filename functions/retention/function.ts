import { changed, sweep } from "../../lib/events.ts"
import { defineFunction } from "../../lib/function.ts"
import { systemNamespace } from "../../lib/names.ts"
import { decide } from "./decide.ts"
import { observe, Observed, subjects } from "./observe.ts"

const read = ["get", "list", "watch"]

/** What nobody needs any more → deleted. */
export default defineFunction({
  name: "retention",
  on: [changed("NixBuild"), changed("Job"), changed("Namespace"), sweep],
  isRare: true,
  permissions: [
    { apiGroups: [""], resources: ["namespaces", "nodes", "pods"], verbs: read },
    // Only ours: the policies `enbi-functions-volumes` and `enbi-functions-claims` refuse the rest.
    { apiGroups: [""], resources: ["persistentvolumes", "persistentvolumeclaims"], verbs: [...read, "delete"] },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: [...read, "create", "delete"] },
    // Only what Pods asked for, or what says when: the policy `enbi-functions-nixbuilds` refuses the rest.
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: [...read, "delete"] },
    {
      namespace: systemNamespace,
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: [...read, "patch", "delete"]
    }
  ],
  subjects,
  observe,
  Observed,
  decide
})
