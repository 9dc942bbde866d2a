/** A recorded cluster of an earlier version, at any moment of its story: see `e33f168/README.md`. */
import { Effect, FileSystem, Option, Schema } from "effect"
import { keyOf, kindNamed } from "../../lib/kubernetes/kind.ts"
import { Stored } from "../../lib/memory/objects.ts"
import { patched } from "../decide/worlds.ts"
import { readJob } from "../memory/job.ts"
import type { Past } from "../memory/story.ts"
import { type Disks, emptyDisks } from "../memory/world.ts"

const optional = Schema.optionalKey

const Head = Schema.Struct({
  /** What happens in the story. */
  about: Schema.String,
  /** How many changes make the cluster of which the story begins. */
  from: Schema.Int,
  /** The images that are on nodes by then, and of which no Pod tells: by `node image`, their digests. */
  images: Schema.Record(Schema.String, Schema.String),
  /** What the functions were set to, where that is not what `given.ts` says. */
  settings: Schema.Struct({
    maxBuildsPerNode: optional(Schema.Int),
    retryDelaysSeconds: optional(Schema.Array(Schema.Int)),
    successfulBuildsHistoryLimit: optional(Schema.Int),
    failedBuildsHistoryLimit: optional(Schema.Int)
  })
})

const at = {
  time: Schema.String,
  kind: Schema.String,
  namespace: optional(Schema.String),
  name: Schema.String
}
const Change = Schema.Union([
  Schema.Struct({ verb: Schema.Literal("ADDED"), time: Schema.String, object: Stored }),
  // As in a golden pair, an object patches the items of a list.
  Schema.Struct({ verb: Schema.Literal("MODIFIED"), ...at, patch: Schema.Unknown }),
  Schema.Struct({ verb: Schema.Literal("DELETED"), ...at })
])
type Change = typeof Change.Type

const readHead = Schema.decodeUnknownEffect(Schema.fromJsonString(Head))
const readChange = Schema.decodeUnknownEffect(Schema.fromJsonString(Change))
const store = Schema.decodeUnknownSync(Stored)

export type Recorded = Effect.Success<ReturnType<typeof readRecorded>>

export const readRecorded = Effect.fn("readRecorded")(function* (file: string) {
  const files = yield* FileSystem.FileSystem
  const [head = "", ...lines] = (yield* files.readFileString(file)).trimEnd().split("\n")
  return { ...(yield* readHead(head)), changes: yield* Effect.forEach(lines, (line) => readChange(line)) }
})

/** The cluster after so many changes. */
export const pastAfter = ({ changes, images }: Recorded, count: number): Past => {
  const objects = new Map<string, Stored>()
  const disks = emptyDisks()
  for (const [name, digest] of Object.entries(images)) disks.images.set(name, digest)
  for (const change of changes.slice(0, count)) {
    const object = apply(change, objects)
    if (object?.kind === "Pod") recall(disks, object, objects)
  }
  return { time: changes[count - 1]?.time ?? "", objects, disks }
}

const apply = (change: Change, objects: Map<string, Stored>): Stored | undefined => {
  if (change.verb === "DELETED") return void objects.delete(keyOf(change))
  const object =
    change.verb === "ADDED"
      ? // The API server gives their defaults to objects that it reads, too.
        { ...initialOf(change.object.kind), ...change.object }
      : store(patched(objects.get(keyOf(change)), change.patch))
  objects.set(keyOf({ ...object.metadata, kind: object.kind }), object)
  return object
}

const initialOf = (name: string) => {
  const initialStatus = kindNamed(name)?.initialStatus
  return initialStatus === undefined ? {} : { status: initialStatus }
}

const Said = Schema.fromJsonString(
  Schema.Struct({ outcome: Schema.String, digest: optional(Schema.String), lockedUrl: optional(Schema.String) })
)
const Ended = Schema.Struct({
  containerStatuses: Schema.Tuple([
    Schema.Struct({ state: Schema.Struct({ terminated: Schema.Struct({ message: Said }) }) })
  ])
})
const readEnded = Schema.decodeUnknownOption(Ended)

/** Puts onto the disks what a Pod says that it left there. */
const recall = ({ images, layouts, sources }: Disks, pod: Stored, objects: ReadonlyMap<string, Stored>) => {
  const { labels, namespace } = pod.metadata
  const job = objects.get(keyOf({ kind: "Job", namespace, name: labels?.["batch.kubernetes.io/job-name"] ?? "" }))
  const ended = readEnded(pod["status"])
  if (job === undefined || Option.isNone(ended)) return
  const [{ state }] = ended.value.containerStatuses
  const { digest = "", lockedUrl = "", outcome } = state.terminated.message
  const { node, step, uid, valueOf } = readJob(job)
  if (step === "build") {
    sources.set(`${uid} ${node}`, lockedUrl)
    layouts.set(`${uid} ${node}`, digest)
  }
  if (step === "import" && outcome === "Succeeded") images.set(`${node} ${valueOf("IMAGE_TAG")}`, digest)
}
