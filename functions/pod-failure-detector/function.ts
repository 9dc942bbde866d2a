import { events, nodes, pods, resourceQuotas } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isAddition, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { allow, defineFunction } from "../../lib/runtime/function.ts"
import { ignore } from "../../lib/runtime/predicate.ts"
import { decide } from "./decide.ts"
import { hasNoNews, isOpen, observe, Observed, subjects } from "./observe.ts"

// Kubernetes, "Quota on object count": count/<resource>.<group>.
const countOfBuilds = `count/${nixBuilds.plural}.${nixBuilds.apiVersion.split("/")[0]}`

/** Pods that fail for a missing image → NixBuilds. */
export default defineFunction({
  name: "pod-failure-detector",
  on: [changed(pods), changed(nixBuilds), changed(resourceQuotas), sweep],
  permissions: [
    allow(pods, "get", "list"),
    allow(nodes, "get"),
    allow(nixBuilds, "get", "create", "patch"),
    allow(events, "get", "list", "create")
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
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] })
})
