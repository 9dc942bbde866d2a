/**
 * An upgrade loses nothing: at whatever moment the functions of an earlier
 * version are replaced by those of today, all ends as it would have ended.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { keyOf } from "../../lib/kubernetes/kind.ts"
import { isOurs } from "../../lib/kubernetes/kinds.ts"
import type { Logged, Stored } from "../../lib/memory/objects.ts"
import { stateOf } from "../memory/ending.ts"
import { readJob } from "../memory/job.ts"
import type { CheckName } from "../memory/oracle.ts"
import { play } from "../memory/story.ts"
import { pastAfter, readRecorded, type Recorded } from "./past.ts"

const folder = `${import.meta.dirname}/e33f168/clusters`

interface Story {
  /** What the earlier version did not hold to. */
  readonly excused?: ReadonlyArray<CheckName>
  /** Rounds in which nothing happens, where something is removed when its time is over. */
  readonly quietRounds?: number
  /** Each build gives another image. */
  readonly isMoving?: true
  /** Lines of its end, and what they are today. */
  readonly instead?: Readonly<Record<string, string>>
  /** Lines that come with these. */
  readonly more?: RegExp
}

const stories: Readonly<Record<string, Story>> = {
  "another-node": {},
  gone: { quietRounds: 22 },
  history: { quietRounds: 22 },
  "import-fails": {},
  "no-node": {},
  "node-lost": {},
  "one-pod": {},
  queue: {},
  "retry-asked": {},
  // Each node found the source itself.
  "source-moves": { isMoving: true, excused: ["all nodes that have the image have the same one"] },
  // It is built today, and then known to be another image.
  "tag-of-another-image": {
    instead: {
      "NixBuild podwatcher-3ae87369bb Pending one":
        "NixBuild podwatcher-3ae87369bb Failed TagConflict one one:TagConflict"
    },
    more: /^(Job (build|import) late\/|Pod of late\/|PersistentVolume )/
  },
  // It is built today, and then known to be the same.
  "tag-of-the-same-image": {
    instead: {
      "NixBuild podwatcher-6a4ee711d7 Pending two": "NixBuild podwatcher-6a4ee711d7 Succeeded two two:ImagePulled",
      "Pod b Pending": "Pod b Running"
    },
    more: /^PersistentVolume(Claim)? /
  },
  // The Job's Pod says so today; before, Kubernetes deleted it.
  "timed-out": { more: /^Pod of apps\/c Failed$/ },
  "two-nodes": {},
  // It begins with what is still said of an image that has just vanished.
  vanished: {
    excused: [
      "a Pod is woken only when its image is there",
      "an image that is said to be there is there",
      "who waits for any object is told the truth about this one"
    ]
  }
}

type All = ReadonlyMap<string, Stored>

const Images = Schema.Struct({
  imageDigest: Schema.String,
  lockedUrl: Schema.String,
  nodes: Schema.Array(Schema.Struct({ name: Schema.String, digest: Schema.optionalKey(Schema.String) }))
})
const hasImages = Schema.is(Images)

/** Which images there are, and of which sources. */
const imagesIn = (objects: All): ReadonlyArray<string> =>
  [...objects].flatMap(([key, { status }]) => {
    if (!hasImages(status)) return []
    const digests = status.nodes.map(({ digest, name }) => `${name} ${digest}`).toSorted()
    return [`Image ${key} ${status.imageDigest} ${status.lockedUrl} ${digests.join()}`]
  })

// A Pod keeps the claim on the tag of its image today, builds get a NetworkPolicy, and Kubernetes removes Jobs that
// removed a volume.
const mayCome = /^(Event|Image|Lease|NetworkPolicy|Job enbi-remove-volume-\S+|Pod enbi-remove-volume-\S+) /

/** What is not there in the end that would have been, and what is there besides. */
const differences = ({ instead = {}, isMoving, more }: Story, ends: { readonly before: All; readonly after: All }) => {
  const linesOf = (objects: All) => [...stateOf(objects), ...(isMoving === true ? [] : imagesIn(objects))]
  const [before, after] = [linesOf(ends.before).map((line) => instead[line] ?? line), linesOf(ends.after)]
  return [
    ...before.filter((line) => !line.startsWith("Event ") && !after.includes(line)).map((line) => `it lacks ${line}`),
    ...after
      .filter((line) => !before.includes(line) && !mayCome.test(`${line} `) && more?.test(line) !== true)
      .map((line) => `it has ${line}`)
  ]
}

const uidsOf = (objects: All) => new Set([...objects.values()].map(({ metadata }) => metadata.uid))

/** What is wrong with the end of a story that goes on, after so many changes, with the functions of today. */
const faultsAfter = Effect.fnUntraced(function* (count: number, story: Story, recorded: Recorded) {
  const { excused = [], quietRounds = 1 } = story
  const [past, { objects: before }] = [pastAfter(recorded, count), pastAfter(recorded, recorded.changes.length)]
  const replicas = [recorded.settings]
  const exit = yield* Effect.exit(play({ given: [], past, replicas, excused, quietRounds }))
  if (Exit.isFailure(exit)) return [Cause.pretty(exit.cause)]
  const { log, objects: after, writes } = exit.value
  const [kept, left] = [uidsOf(before), uidsOf(after)]
  return [
    ...differences(story, { before, after }),
    ...[...past.objects]
      .filter(([, { metadata }]) => kept.has(metadata.uid) && !left.has(metadata.uid))
      .map(([key]) => `${key} is not the one that it was`),
    ...jobsUntil(count, recorded)
      .filter((job) => writes.includes(`create ${job}`))
      .map((job) => `${job} is made twice`),
    ...tooManyAtOnce(log, recorded.settings.maxBuildsPerNode ?? Infinity)
  ]
})

/** When more build Jobs ran than there are slots; all these clusters with a limit have one node. */
const tooManyAtOnce = (log: ReadonlyArray<Logged>, slots: number): ReadonlyArray<string> => {
  const live = new Set<string>()
  return log.flatMap(({ object, verb }) => {
    if (object.kind !== "Job" || readJob(object).step !== "build") return []
    const { name } = object.metadata
    if (verb === "DELETED" || !readJob(object).isLive) live.delete(name)
    else live.add(name)
    return live.size > slots ? [`at once: ${[...live].join()}`] : []
  })
}

/** All Jobs that were ever made for a NixBuild. */
const jobsUntil = (count: number, { changes }: Recorded): ReadonlyArray<string> =>
  changes
    .slice(0, count)
    .flatMap((change) => (change.verb === "ADDED" && change.object.kind === "Job" ? [change.object] : []))
    .filter((job) => isOurs(job) && readJob(job).uid !== "")
    .map(({ kind, metadata }) => keyOf({ ...metadata, kind }))

describe("at every moment of a story", () => {
  for (const [name, story] of Object.entries(stories)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const recorded = yield* readRecorded(`${folder}/${name}.jsonl`)
        const wrong = new Map<string, ReadonlyArray<number>>()
        for (let count = recorded.from; count <= recorded.changes.length; count += 1) {
          const faults = (yield* faultsAfter(count, story, recorded)).join("\n")
          if (faults !== "") wrong.set(faults, [...(wrong.get(faults) ?? []), count])
        }
        const told = [...wrong].map(([faults, counts]) => `after ${counts.join(", ")} changes:\n${faults}`)
        assert.isEmpty(told, `${recorded.about}\n${told.join("\n\n")}`)
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }
})
