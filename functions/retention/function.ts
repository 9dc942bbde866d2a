import { jobs } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/events.ts"
import { defineFunction, ignore } from "../../lib/function.ts"
import { nixBuildAnnotation } from "../../lib/keys.ts"
import { systemNamespace } from "../../lib/names.ts"
import { hasEnded } from "../../lib/nixbuild-subjects.ts"
import { decide } from "./decide.ts"
import { mayLeaveSomething, observe, Observed, subjects } from "./observe.ts"
import { around } from "./volumes.ts"

/** What nobody needs any more → deleted. */
export default defineFunction({
  name: "retention",
  on: [changed("NixBuild"), changed("Job"), changed("Namespace"), sweep],
  isRare: true,
  // It looks at everything with every event, and what is superfluous is so a little later too.
  pauseSeconds: 10,
  permissions: [
    { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "list"] },
    { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
    // Only ours: the policies `enbi-functions-volumes` and `enbi-functions-claims` refuse the rest.
    { apiGroups: [""], resources: ["persistentvolumes"], verbs: ["list", "delete"] },
    { apiGroups: [""], resources: ["persistentvolumeclaims"], verbs: ["get", "delete"] },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: ["get", "list", "create", "delete"] },
    // Only what Pods asked for, or what says when: the policy `enbi-functions-nixbuilds` refuses the rest.
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "list", "delete"] },
    {
      namespace: systemNamespace,
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["list", "patch", "delete"]
    }
  ],
  ignores: [
    ignore(nixBuilds, (build, event) => !isDeletion(event) && !mayLeaveSomething(build)),
    // Those of NixBuilds are looked at when these end; of the others, it goes on when the directories are removed.
    ignore(
      jobs,
      (job, event) =>
        isDeletion(event) || job.metadata.annotations?.[nixBuildAnnotation] !== undefined || !hasEnded(job)
    )
  ],
  subjects,
  observe,
  Observed,
  decide,
  restsOn: around,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] })
})
