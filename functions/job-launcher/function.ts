import { jobs } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/events.ts"
import { defineFunction, ignore } from "../../lib/function.ts"
import { hasEnded, newClaims } from "../../lib/nixbuild-subjects.ts"
import { systemNamespace } from "../../lib/names.ts"
import { decide } from "./decide.ts"
import { isOpen, isStep, isUnderWay, observe, Observed, subjects } from "./observe.ts"
import { phases } from "./phases.ts"

/** NixBuilds with a node → volume, build Job, import Job. */
export default defineFunction({
  name: "job-launcher",
  on: [changed("NixBuild"), changed("Job"), changed("Lease"), sweep],
  permissions: [
    { apiGroups: [""], resources: ["nodes", "namespaces"], verbs: ["get"] },
    { apiGroups: [""], resources: ["persistentvolumes"], verbs: ["get", "create"] },
    { apiGroups: [""], resources: ["persistentvolumeclaims"], verbs: ["get", "list", "create"] },
    // The policy `enbi-functions-networkpolicies` refuses all but the one of build Pods.
    {
      apiGroups: ["networking.k8s.io"],
      resources: ["networkpolicies"],
      verbs: ["get", "list", "create", "patch", "delete"]
    },
    // Only for dry runs: the policy `enbi-functions-pods` refuses the rest.
    { apiGroups: [""], resources: ["pods"], verbs: ["create", "list"] },
    { apiGroups: [""], resources: ["events"], verbs: ["get", "list", "create"] },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: ["get", "list", "create"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "list"] },
    // An owner reference that blocks deletion is a right over the owner's finalizers.
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds/finalizers"], verbs: ["update"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds/status"], verbs: ["patch"] },
    {
      namespace: systemNamespace,
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "create", "patch"]
    }
  ],
  ignores: [
    ignore(jobs, (job) => !isStep(job) || !hasEnded(job)),
    newClaims,
    ignore(nixBuilds, (build, event) => isDeletion(event) || !isOpen(build) || isUnderWay(build))
  ],
  subjects,
  observe,
  Observed,
  decide,
  refused: (observed, refusal) => ({ ...observed, refusal }),
  phases: (_, done) => phases(done)
})
