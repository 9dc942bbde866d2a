import { nodes } from "../../lib/kubernetes/kinds.ts"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { nixImages } from "../../lib/api/niximage.ts"
import { changed, sweep } from "../../lib/runtime/events.ts"
import { addRefusal, allow, allowStatus, defineFunction } from "../../lib/runtime/function.ts"
import { ignoreIf } from "../../lib/runtime/predicate.ts"
import { decide } from "./decide.ts"
import { mapEvent, observe, Observed } from "./observe.ts"
import { settings } from "./settings.ts"

/** NixImages → a NixBuild for each system → what the registry serves. */
export default defineFunction({
  name: "niximage",
  on: [changed(nixImages), changed(nixBuilds), sweep],
  sets: ["Ready", "Stalled"],
  permissions: [
    allow(nixImages, "get", "list"),
    allowStatus(nixImages),
    allow(nixBuilds, "get", "create"),
    allow(nodes, "list")
  ],
  ignorePredicates: [ignoreIf(nixBuilds, ({ spec }) => spec.delivery !== "Registry")],
  settings,
  mapEvent,
  observe,
  Observed,
  decide,
  refused: addRefusal
})
