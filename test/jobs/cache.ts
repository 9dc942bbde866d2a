/** A cache in a temporary folder, and programs in the place of Nix's, for tests of the build Job's program. */
import { DateTime, Effect, FileSystem, Ref } from "effect"
import { DatabaseSync } from "node:sqlite"
import type { Room } from "../../jobs/disk-full.ts"
import type { Source } from "../../lib/nixbuild/source.ts"
import { writeFilter } from "../../lib/nixbuild/uid-filter.ts"
import { emptyLog } from "../../jobs/build/nix-log.ts"
import { cacheAt } from "../../lib/nixbuild/job-contract.ts"
import type { Build } from "../../jobs/build/nix-steps.ts"

export const uid = (number: number) => `00000000-0000-0000-0000-${String(number).padStart(12, "0")}`

export const own = uid(1)

/** What the Job of the NixBuild `own` is told when these are there. */
export const filterOf = (...uids: ReadonlyArray<string>) => writeFilter({ of: own, uids })

/** The cache's folders; `program` writes a shell script to its `bin`. */
export const makeCache = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const root = yield* fs.makeTempDirectoryScoped()
  const cache = cacheAt(root)
  for (const folder of [cache.layouts, cache.roots, cache.builds, `${root}/var/nix/db`, `${root}/bin`]) {
    yield* fs.makeDirectory(folder, { recursive: true })
  }
  const program = Effect.fnUntraced(function* (name: string, script: string) {
    yield* fs.writeFileString(`${root}/bin/${name}`, `#!/bin/sh\n${script}\n`)
    yield* fs.chmod(`${root}/bin/${name}`, 0o755)
  })
  return { root, cache, program }
})

type Root = Effect.Success<typeof makeCache>

/** Nix's database before there is a table in it. */
export const startDatabase = ({ cache }: Root) =>
  Effect.sync(() => {
    using database = new DatabaseSync(cache.database)
    database.exec("PRAGMA journal_mode = wal")
  })

/** A store of so many bytes, as Nix's database has it. */
export const setStoreBytes = ({ cache }: Root, bytes: number) =>
  Effect.sync(() => {
    using database = new DatabaseSync(cache.database)
    database.exec(`CREATE TABLE ValidPaths (narSize INTEGER); INSERT INTO ValidPaths VALUES (${bytes}), (0)`)
  })

export const liveTime = DateTime.makeUnsafe("2026-01-01T12:00:00Z")

/** Of a time before or after the list of living NixBuilds. */
export const addLayout = Effect.fnUntraced(function* (
  { cache }: Root,
  name: string,
  age: { readonly minutes: number } = { minutes: -60 }
) {
  const fs = yield* FileSystem.FileSystem
  const blobs = `${cache.layout(name)}/blobs/sha256`
  yield* fs.makeDirectory(blobs, { recursive: true })
  yield* fs.writeFileString(`${blobs}/blob`, "x".repeat(1000))
  const time = DateTime.toDate(DateTime.add(liveTime, age))
  yield* fs.utimes(cache.layout(name), time, time)
})

export const makeBuild = Effect.fnUntraced(function* (
  { cache, root }: Root,
  settings: Partial<Build["settings"]> = {},
  room: Room = { bytes: 2 ** 40, files: 2 ** 20 }
) {
  const log = yield* Ref.make(emptyLog)
  const build: Build = {
    settings: {
      flakeUrl: "github:a/b",
      source: undefined,
      wanted: { packageName: "hello" },
      system: "x86_64-linux",
      uid: own,
      timeoutSeconds: 60,
      sandbox: true,
      cacheLimitBytes: 0,
      liveFilter: filterOf(own),
      liveTime,
      cgroup: root,
      caCertificates: "",
      usualCertificates: "/dev/null",
      nixConfig: "",
      closed: { closedCidrs: [], proxies: { http: "", https: "", none: "" } },
      cache,
      ...settings
    },
    deadlineTime: 0,
    log,
    resolved: yield* Ref.make<Source | undefined>(undefined),
    environment: {},
    measure: Effect.succeed(room)
  }
  return build
})
