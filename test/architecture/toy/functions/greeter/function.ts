import { changed, sweep } from "../../../../../lib/runtime/events.ts"
import { allow, allowStatus, defineFunction } from "../../../../../lib/runtime/function.ts"
import { greetings } from "../../api/greeting.ts"
import { decide } from "./decide.ts"
import { mapEvent, observe, Observed } from "./observe.ts"

/** Greetings → `status.words`. */
export default defineFunction({
  name: "greeter",
  on: [changed(greetings), sweep],
  sets: ["Greeted"],
  permissions: [allow(greetings, "get", "list"), allowStatus(greetings)],
  mapEvent,
  observe,
  Observed,
  decide
})
