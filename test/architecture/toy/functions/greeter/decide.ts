/** Says what there is to say. */
import type { Action } from "../../../../../lib/runtime/action.ts"
import { patchStatus } from "../../api/greeting.ts"
import type { Observed } from "./observe.ts"

export const decide = ({ greeting, time }: typeof Observed.Type): ReadonlyArray<Action<"Greeted">> => {
  const words = `Hello, ${greeting.data.to}!`
  return patchStatus(greeting, {
    why: `Greet ${greeting.data.to}`,
    time,
    conditions: [{ type: "Greeted", status: "True", reason: "Said", message: words }],
    fields: { words }
  })
}
