import { events, nodes, pods, resourceQuotas } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { nixImages } from "../../lib/api/niximage.ts"
import { changed, isAddition, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { decide } from "./decide.ts"
import { waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import { hasNoNews, mapEvent, observe, Observed } from "./observe.ts"

// Kubernetes, "Quota on object count": count/<resource>.<group>.
const countOfBuilds = `count/${nixBuilds.plural}.${nixBuilds.apiVersion.split("/")[0]}`

/** Pods that fail for a missing image → NixBuilds, or NixImages. */
export default defineFunction({
  name: "pod-failure-detector",
  on: [changed(pods), changed(nixBuilds), changed(nixImages), changed(resourceQuotas), sweep],
  permissions: [
    allow(pods, "get", "list"),
    allow(nodes, "get"),
    allow(nixBuilds, "get", "create", "patch"),
    allow(nixImages, "get", "list", "create"),
    allow(events, "get", "list", "create")
  ],
  ignorePredicates: [
    ignoreIf(pods, (pod) => waitingContainers(pod).length === 0),
    // That it is being built was said when it was asked for.
    ignoreIf(nixImages, ({ status }, event) => !isDeletion(event) && status?.failure === undefined),
    ignoreIf(nixBuilds, (build, event) => !isAddition(event) && !isDeletion(event) && hasNoNews(build)),
    // Those of Pods and CPU change all the time.
    ignoreIf(
      resourceQuotas,
      ({ spec }) => !Object.keys(spec?.hard ?? {}).some((resource) => resource === countOfBuilds)
    )
  ],
  settings: ["imageRegistry", "packageSet"],
  mapEvent,
  observe,
  Observed,
  decide,
  refused: addRefusal
})
