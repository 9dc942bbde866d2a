/** What `npm link` puts on PATH: starts, says on the right stream what went wrong, and ends with the right code. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { run } from "./run.ts"

const launch = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner.spawn(ChildProcess.make("node", ["cli/enbi.js", ...args], { extendEnv: true }))
  const textOf = (bytes: typeof handle.stdout) => Stream.mkString(Stream.decodeText(bytes))
  const [out, error] = yield* Effect.all([textOf(handle.stdout), textOf(handle.stderr)], { concurrency: 2 })
  return { out, error, code: Number(yield* handle.exitCode) }
}, Effect.scoped)

layer(NodeServices.layer)("the command enbi", (it) => {
  it.effect(
    "starts, whichever Node finds it",
    () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* launch(["decisions", "list", "nothing.jsonl"]), {
          out: "",
          error: "nothing.jsonl cannot be read: NotFound\n",
          code: 2
        })
      }),
    30_000
  )

  it.effect("completes commands, kinds and files in bash", () =>
    Effect.gen(function* () {
      const { out } = yield* run(["--completions", "bash"])
      const script = `${out}
complete_line() {
  COMP_LINE="$*"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _enbi enbi "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
  echo "\${COMPREPLY[*]}"
}
complete_line enbi ""
complete_line enbi decisions ""
complete_line enbi events list --kind No
complete_line enbi decisions list package-l`
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      assert.deepStrictEqual(yield* spawner.lines(ChildProcess.make("bash", ["-c", script], { extendEnv: true })), [
        "build image logs decisions events",
        "list show replay",
        "Node",
        "package-lock.json"
      ])
    })
  )
})
