/** How large a cache is, without looking at each file of the store: what Nix's database says, and the layouts. */
import { ByteSize, Effect, FileSystem } from "effect"
import { DatabaseSync } from "node:sqlite"
import { orFailure } from "../disk-full.ts"
import type { Cache } from "../../lib/nixbuild/job-contract.ts"

/** The bytes of the store's paths, as archives of Nix, and of the images' layouts. */
export const cacheBytes = Effect.fn("cacheBytes")(function* (cache: Cache) {
  return (yield* storeBytes(cache)) + (yield* layoutBytes(cache))
})

/** `bytes` for people. */
export const inUnits = (bytes: number): string => ByteSize.format(ByteSize.bytes(bytes), { system: "binary" })

// Another build may be writing; it is not for long, and readers of a write-ahead log do not wait for it anyway.
const busyMillis = 10_000

const storeBytes = Effect.fnUntraced(function* ({ database }: Cache) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(database))) return 0
  return yield* Effect.try({
    try: () => {
      using open = new DatabaseSync(database, { readOnly: true, timeout: busyMillis })
      // The first build of a cache may just be making it.
      if (open.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'ValidPaths'").get() === undefined) return 0
      const bytes = open.prepare("SELECT total(narSize) AS bytes FROM ValidPaths").get()?.["bytes"]
      return typeof bytes === "number" ? bytes : 0
    },
    catch: (cause) => orFailure("BuildFailed", "Nix's database cannot be read")(new Error(String(cause), { cause }))
  })
})

const layoutBytes = Effect.fnUntraced(function* ({ layout, layouts }: Cache) {
  const fs = yield* FileSystem.FileSystem
  const blobsOf = Effect.fnUntraced(function* (name: string) {
    const blobs = `${layout(name)}/blobs/sha256`
    const sizes = yield* Effect.forEach(yield* fs.readDirectory(blobs), (blob) =>
      Effect.map(fs.lstat(`${blobs}/${blob}`), ({ size }) => ByteSize.toNumberUnsafe(size))
    )
    return sum(sizes)
  })
  // Another build may rename or remove what was listed: what cannot be counted is not there any more.
  const names = yield* Effect.orElseSucceed(fs.readDirectory(layouts), () => [])
  return sum(yield* Effect.forEach(names, (name) => Effect.orElseSucceed(blobsOf(name), () => 0)))
})

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)
