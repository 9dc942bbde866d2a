import { jobs, nodes, pods } from "../../lib/kubernetes/kinds.ts"
import { nixImages } from "../../lib/api/niximage.ts"
import { changed, isDeletion, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { decide } from "./decide.ts"
import { isServed, mapEvent, observe, Observed } from "./observe.ts"

/** A NixImage that is built → it is pulled on the nodes where Pods wait for it. */
export default defineFunction({
  name: "image-delivery",
  on: [changed(nixImages), sweep],
  permissions: [
    allow(nixImages, "get", "list"),
    allow(pods, "list"),
    allow(nodes, "get"),
    allow(jobs, "get", "list", "create")
  ],
  ignorePredicates: [ignoreIf(nixImages, (image, event) => isDeletion(event) || !isServed(image))],
  settings: ["builderImage", "imageRegistry", "registryUrl"],
  mapEvent,
  observe,
  Observed,
  decide,
  refused: addRefusal
})
