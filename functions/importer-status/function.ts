import { jobs, pods } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isDeletion, sweep } from "../../lib/events.ts"
import { defineFunction, ignore } from "../../lib/function.ts"
import { nixBuildAnnotation } from "../../lib/keys.ts"
import { systemNamespace } from "../../lib/names.ts"
import { podsOfOthers } from "../../lib/nixbuild-subjects.ts"
import { isOnItsWay } from "../../lib/work.ts"
import { decide } from "./decide.ts"
import { isConcerned, tellsNothing } from "./news.ts"
import { observe, Observed, subjects } from "./observe.ts"
import { phases } from "./phases.ts"
import { started } from "./started.ts"

/** Finished Jobs → the NixBuild's outcome; wakes Pods. */
export default defineFunction({
  name: "importer-status",
  on: [changed("NixBuild"), changed("Job"), changed("Pod"), sweep],
  permissions: [
    { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
    // Only to wake them, and to end ours whose work has failed: the policy `enbi-functions-pods` refuses every other change.
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "patch"] },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: ["get", "list", "delete"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "list"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds/status"], verbs: ["patch"] },
    // Of our own Pods that do not start.
    { apiGroups: [""], resources: ["events"], verbs: ["create", "get", "list"] },
    {
      namespace: systemNamespace,
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["get", "patch"]
    }
  ],
  ignores: [
    ignore(jobs, (job) => job.metadata.annotations?.[nixBuildAnnotation] === undefined || tellsNothing(job)),
    podsOfOthers,
    ignore(pods, isOnItsWay),
    ignore(nixBuilds, (build, event) => isDeletion(event) || !isConcerned(build))
  ],
  subjects,
  observe,
  Observed,
  decide,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] }),
  phases,
  witnesses: started
})
