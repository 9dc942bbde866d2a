/** The API server in memory, which counts what reaches it; each request can suffer what requests suffer. */
import { Effect, Stream } from "effect"
import type { Kind } from "../../lib/kubernetes/kind.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import type { Query } from "../../lib/kubernetes/requests.ts"
import { type Change, readChange } from "../../lib/kubernetes/watch.ts"
import { answerFrom, type ApiRequest, isWrite, kindAt } from "../../lib/memory/api-server.ts"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { type At, makeObjects, refuse } from "../../lib/memory/objects.ts"
import { type Fault, suffer } from "./faults.ts"

/** One request: what it asks, how many came before it, and how many writes. */
export interface Counted {
  readonly what: string
  readonly request: number
  /** Absent for what only reads. */
  readonly write: number | undefined
}

export interface Refusal {
  readonly what: string
  /** How many writes had been tried by then. */
  readonly attempts: number
}

interface Fate {
  /** What admission has against an object that is to be created: a quota, a policy. */
  refusalOf: (asked: ApiRequest) => string | undefined
  faultOf: (counted: Counted) => Fault | undefined
  before: (counted: Counted) => Effect.Effect<void>
  after: (counted: Counted) => Effect.Effect<void>
  /** Between two looks of a process. */
  between: Effect.Effect<void>
}

const wordsOf = (asked: ApiRequest): string =>
  `${asked.verb} ${keyOf(asked)}${asked.subresource === undefined ? "" : `/${asked.subresource}`}`

export const makeApiServer = () => {
  const objects = makeObjects()
  const requests: Array<string> = []
  const attempts: Array<string> = []
  const writes: Array<string> = []
  const refusals: Array<Refusal> = []
  const refused: Array<string> = []
  /** What becomes of a request, and what others do just before and after it: set by whoever tells the story. */
  const fate: Fate = {
    refusalOf: () => undefined,
    faultOf: () => undefined,
    before: () => Effect.void,
    after: () => Effect.void,
    between: Effect.void
  }

  // As people and controllers do that we know nothing of.
  const touch = ({ kind, name, namespace }: At) =>
    Effect.ignore(
      Effect.flatMap(objects.find({ kind, name, namespace }), (there) =>
        objects.patch(
          { kind, name, namespace },
          { metadata: { annotations: { "example.com/touched": there.metadata.resourceVersion } } }
        )
      )
    )

  /** Counts a request, and lets it suffer what it has to. */
  const receive = Effect.fnUntraced(function* <A>(asked: ApiRequest, answer: Effect.Effect<A, KubernetesError>) {
    const what = wordsOf(asked)
    const refusal = asked.verb === "create" ? fate.refusalOf(asked) : undefined
    if (refusal !== undefined) {
      // It costs a request and writes nothing, so it counts among those that were refused alone.
      refused.push(what)
      return yield* refuse(403, "Forbidden", refusal)
    }
    const isWriting = isWrite(asked.verb)
    const counted: Counted = { what, request: requests.length, write: isWriting ? attempts.length : undefined }
    requests.push(what)
    if (isWriting) attempts.push(what)
    yield* fate.before(counted)
    return yield* answer.pipe(
      // Also when it found nothing.
      Effect.ensuring(Effect.suspend(() => fate.after(counted))),
      Effect.tap(() => Effect.sync(() => (isWriting ? writes.push(what) : undefined))),
      suffer(fate.faultOf(counted), { what, touch: touch(asked) }),
      Effect.tapError((error) =>
        Effect.sync(() => (error.isRetryable ? refusals.push({ what, attempts: attempts.length }) : undefined))
      )
    )
  })

  const { list, request } = answerFrom(objects, receive)

  /** The way to here of one process, whose watches are fed by `follow`. */
  const connect = (follow: (kind: Kind, query: Query) => Stream.Stream<Change<unknown>>) =>
    KubernetesApi.of({
      request,
      list,
      follow: (path, query, read) => Stream.map(follow(kindAt(path), query), readChange(read))
    })

  return {
    connect,
    objects,
    fate,
    /** Everything that reached the server, in order. */
    requests,
    /** What the functions tried to write. */
    attempts,
    /** What was written. */
    writes,
    /** What brought back an error that another try can mend. */
    refusals,
    /** What admission refused. */
    refused
  }
}

export type ApiServer = ReturnType<typeof makeApiServer>
