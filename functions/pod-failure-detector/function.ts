import { events, nodes, pods, resourceQuotas } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { changed, isAddition, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { allow, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { decide } from "./decide.ts"
import { hasNoNews, isOpen, mapEvent, observe, Observed } from "./observe.ts"

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
  ignorePredicates: [
    ignoreIf(pods, (pod) => !isOpen(pod)),
    ignoreIf(nixBuilds, (build, event) => !isAddition(event) && !isDeletion(event) && hasNoNews(build)),
    // Those of Pods and CPU change all the time.
    ignoreIf(
      resourceQuotas,
      ({ spec }) => !Object.keys(spec?.hard ?? {}).some((resource) => resource === countOfBuilds)
    )
  ],
  mapEvent,
  observe,
  Observed,
  decide,
  refused: (observed, refusal) => ({ ...observed, refusals: [...observed.refusals, refusal] })
})
