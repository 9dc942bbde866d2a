/** An API server over HTTP, for processes: Pods come to it, and it forgets when it is told to. */
import { Effect } from "effect"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { answerFrom } from "../../lib/memory/api-server.ts"
import { makeFront, serve } from "../../lib/memory/http.ts"
import { makeObjects } from "../../lib/memory/objects.ts"

/** Serves on a free port of loopback until the scope ends. */
export const makeApiServer = Effect.gen(function* () {
  const objects = makeObjects()
  const front = makeFront(objects, answerFrom(objects))
  const { apiVersion, kind } = pods
  const create = (name: string) =>
    Effect.asVoid(objects.create({ apiVersion, kind, metadata: { name, namespace: "cap" } }))
  return {
    url: yield* serve(front),
    create,
    /** Creates a Pod while the watch is behind: it is told 410 instead. */
    createUnseen: (name: string) => front.forget(create(name))
  }
})
