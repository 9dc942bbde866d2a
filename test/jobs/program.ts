/** The build Job's program as a process, with scripts in the place of Nix's programs. */
import { Effect, FileSystem, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { BuildResult } from "../../lib/nixbuild/job-result.ts"
import { makeCache, own } from "./cache.ts"

/** What `nix` says: of the flake, and of the package. */
export const answers = {
  metadata: `echo '{"url":"github:a/b/1","path":"/nix/store/source","locks":{"root":"root","nodes":{}}}'`,
  eval: `echo '{"drvPath":"/nix/store/a-hello.drv","outputs":["out"],"meant":[]}'`
}

/** A cache, and a `nix` that finds an image's derivation; `nix-store` then does what the test wants. */
export const withNix = Effect.fnUntraced(function* (nixStore: string, nix: Partial<typeof answers> = {}) {
  const made = yield* makeCache
  const { eval: evaluated, metadata } = { ...answers, ...nix }
  yield* made.program(
    "nix",
    `case "$*" in
       *"flake metadata"*) ${metadata} ;;
       *eval*) ${evaluated} ;;
     esac`
  )
  yield* made.program("nix-store", nixStore)
  return made
})

/** A `nix-store` whose result is this file. */
export const linkTo = (archive: string) =>
  `while [ "$1" != --add-root ]; do shift; done
   ln -s ${archive} "$2"`

/** Runs it in the cache `root` and answers what it showed and how it ended. */
export const run = Effect.fnUntraced(function* (
  root: string,
  timeoutSeconds: number,
  more: Readonly<Record<string, string>> = {}
) {
  const fs = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const env = {
    PATH: `${root}/bin:${process.env["PATH"]}`,
    CACHE: root,
    TERMINATION_LOG: `${root}/result`,
    FLAKE_URL: "github:a/b",
    PACKAGE_NAME: "hello",
    SYSTEM: "x86_64-linux",
    NIXBUILD_UID: own,
    TIMEOUT_SECONDS: String(timeoutSeconds),
    SANDBOX: "true",
    CACHE_LIMIT_BYTES: "0",
    LIVE_TIME: "2026-01-01T12:00:00Z",
    CGROUP: root,
    ...more
  }
  // A log that was kept would not fit.
  const command = ["--max-old-space-size=100", "jobs/build/build.ts"]
  const child = yield* spawner.spawn(ChildProcess.make(process.execPath, command, { env, stdin: "ignore" }))
  const shown = yield* Stream.mkString(Stream.decodeText(child.stdout))
  const text = yield* fs.readFileString(env.TERMINATION_LOG)
  return { shown, result: yield* Schema.decodeEffect(Schema.fromJsonString(BuildResult))(text) }
}, Effect.scoped)
