/** Importing 200 MB that are on the node already, under another name, against the first import of them. */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { CommandFailed, output } from "../tools/command.ts"
import { makeBare } from "./bare.ts"
import { node } from "./cluster.ts"
import type { Row } from "./row.ts"

const rounds = 3
const first = "registry.invalid/bench-import/first:1"
const second = "registry.invalid/bench-import/second:1"

// Without its names nothing keeps an image's blobs; --sync waits until they are gone. The last name is CRI's own.
const remove = (configDigest: string) =>
  output({
    command: "docker",
    args: ["exec", node, "ctr", "-n", "k8s.io", "images", "rm", "--sync", first, second, configDigest]
  })

export const importRows = Effect.fn("importRows")(function* (builderImage: string) {
  const bare = yield* makeBare(builderImage)
  const uid = { NIXBUILD_UID: randomUUID() }
  yield* bare.build({ ...uid, PACKAGE_NAME: "big" })
  const imported = (tag: string) => bare.import({ ...uid, IMAGE_TAG: tag })
  const found: Array<{ readonly [K in "new" | "there"]: Effect.Success<ReturnType<typeof imported>> }> = []
  const { configDigest } = (yield* imported(first)).result
  for (let round = 0; round < rounds; round++) {
    yield* remove(configDigest)
    found.push({ new: yield* imported(first), there: yield* imported(second) })
  }
  yield* remove(configDigest)
  const moved = found.map(({ new: { result } }) => result.movedBytes)
  if (moved.some((bytes) => bytes < 150_000_000)) {
    return yield* new CommandFailed({
      message: `The first imports moved ${moved} bytes, so the image was there before.`
    })
  }
  const rows: ReadonlyArray<Row> = [
    {
      what: "import of 200 MB that are there; first import",
      unit: "ms",
      ours: found.map(({ there }) => there.millis),
      bare: found.map(({ new: one }) => one.millis),
      ceiling: { of: "ratio", most: 0.1 }
    },
    {
      what: "bytes moved by it; by the first import",
      unit: "bytes",
      ours: found.map(({ there }) => there.result.movedBytes),
      bare: found.map(({ new: one }) => one.result.movedBytes),
      ceiling: { of: "ours", most: 0 }
    }
  ]
  return rows
}, Effect.scoped)
