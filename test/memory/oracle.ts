/**
 * What must hold at every moment, by name, whatever happens to events,
 * requests and processes. Each check is asked at every change of an object,
 * or after every run of a function; what it says is a breach.
 */
import { Cause, Exit, Option } from "effect"
import type { Reference } from "../../lib/kubernetes/kind.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import type { NameTaken, Refused } from "../../lib/runtime/interpret.ts"
import type { Refusal } from "./api-server.ts"
import { checks } from "./invariants.ts"
import type { Objects } from "../../lib/memory/objects.ts"
import type { World } from "./world.ts"

/** One run of a function about one object. */
export interface Ran {
  readonly definition: Pick<EnbiFunction<unknown>, "name">
  readonly subject: Reference
  readonly exit: Exit.Exit<void, KubernetesError | NameTaken | Refused>
  readonly refused: ReadonlyArray<Refusal>
  /** All writes of the story so far. */
  readonly attempts: ReadonlyArray<string>
}

const runChecks: Record<string, (ran: Ran) => string | undefined> = {
  "an error is not taken for done": ({ exit, refused }) =>
    refused.length > 0 && Exit.isSuccess(exit)
      ? `${refused.map(({ what }) => what).join()} came to nothing`
      : undefined,

  "after an error nothing more is written": ({ attempts, refused: [first] }) =>
    first === undefined || attempts.length === first.attempts
      ? undefined
      : `${attempts.slice(first.attempts).join()} after ${first.what}`,

  // A first refusal ends a run, and is told once it lasts.
  "what nothing disturbs ends well": ({ exit, refused }) =>
    refused.length === 0 && Exit.isFailure(exit) && !isRefusal(exit.cause) ? Cause.pretty(exit.cause) : undefined
}

const isRefusal = (cause: Cause.Cause<{ readonly _tag: string }>): boolean =>
  Option.exists(Cause.findErrorOption(cause), ({ _tag }) => _tag === "Refused")

export type CheckName = keyof typeof checks | keyof typeof runChecks

export const makeOracle = (
  { objects, observers }: Objects,
  { excused, world }: { readonly world: World; readonly excused: ReadonlyArray<CheckName> }
) => {
  const breaches: Array<string> = []
  const ask = <A>(all: Readonly<Record<string, (about: A) => string | undefined>>, about: A, where: () => string) => {
    for (const [name, check] of Object.entries(all)) {
      if (excused.includes(name)) continue
      const breach = check(about)
      if (breach !== undefined) breaches.push(`${name}: ${breach} (${where()})`)
    }
  }
  observers.push((logged) => {
    const { kind, metadata } = logged.object
    ask(checks, { ...logged, objects, images: world.images }, () => `${logged.verb} ${kind} ${metadata.name}`)
  })
  const ran = (reconciled: Ran) =>
    ask(runChecks, reconciled, () => `${reconciled.definition.name} about ${reconciled.subject.name}`)
  return { ran, breaches }
}

export type Oracle = ReturnType<typeof makeOracle>
