import { pods, resourceQuotas } from "../../lib/api/kubernetes.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isAddition, isDeletion, sweep } from "../../lib/events.ts"
import { defineFunction, ignore } from "../../lib/function.ts"
import { decide } from "./decide.ts"
import { hasNoNews, isOpen, observe, Observed, subjects } from "./observe.ts"
import { phases } from "./phases.ts"

// Kubernetes, "Quota on object count": count/<resource>.<group>.
const countOfBuilds = `count/${nixBuilds.plural}.${nixBuilds.apiVersion.split("/")[0]}`

/** Pods that fail for a missing image → NixBuilds. */
export default defineFunction({
  name: "pod-failure-detector",
  on: [changed("Pod"), changed("NixBuild"), changed("ResourceQuota"), sweep],
  permissions: [
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
    { apiGroups: [""], resources: ["nodes"], verbs: ["get"] },
    { apiGroups: ["enbi.hrzn.ee"], resources: ["nixbuilds"], verbs: ["get", "create", "patch"] },
    { apiGroups: [""], resources: ["events"], verbs: ["get", "list", "create"] }
  ],
  ignores: [
    ignore(pods, (pod) => !isOpen(pod)),
    ignore(nixBuilds, (build, event) => !isAddition(event) && !isDeletion(event) && hasNoNews(build)),
    // Those of Pods and CPU change all the time.
    ignore(resourceQuotas, ({ spec }) => !Object.keys(spec?.hard ?? {}).some((resource) => resource === countOfBuilds))
  ],
  subjects,
  observe,
  Observed,
  decide,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] }),
  phases
})
