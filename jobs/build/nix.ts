/**
 * Runs one Nix command to its end, shows its log while it runs and answers
 * exit code, output and log. SIGTERM to us ends Nix and, by it, its builders.
 */
import { Console, Effect, Ref, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { cutLines, followLines, nextLog, type NixLog } from "./nix-log.ts"

/** A finished command. */
export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly log: NixLog
}

// Whatever the image's nix.conf or the user's NIX_CONFIG says, these hold: a
// sandbox that quietly is none, a flake that sets options, and a registry that
// turns a word into a URL would each undo what the NixBuild promises.
const always = [
  ["experimental-features", "nix-command flakes"],
  ["sandbox-fallback", "false"],
  ["accept-flake-config", "false"],
  ["flake-registry", ""],
  // Nix never removes the logs that it keeps, and they are not read there; its limit for a log's size kills the build.
  ["keep-build-log", "false"],
  // What a binary cache did not have an hour ago may be there now.
  ["narinfo-cache-negative-ttl", "0"]
].flatMap(([name = "", value = ""]) => ["--option", name, value])

export type Program = "nix" | "nix-store" | "nix-instantiate"

/** What follows a command while it runs: its log, and what to do whenever it has said something. */
export interface Followed {
  readonly log: Ref.Ref<NixLog>
  readonly whenSaid: Effect.Effect<void>
  /** Beside our own. */
  readonly environment: Readonly<Record<string, string>>
}

/** Runs `program` with the arguments of `command`. */
export const runNix = Effect.fn("runNix")(
  function* (program: Program, command: ReadonlyArray<string>, { environment, log, whenSaid }: Followed) {
    yield* Ref.update(log, nextLog)
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const child = yield* spawner.spawn(
      ChildProcess.make(program, ["--log-format", "internal-json", ...always, ...command], {
        stdin: "ignore",
        env: environment,
        extendEnv: true,
        // Nix needs a moment to stop its builders; kubelet's grace period is 30 s.
        forceKillAfter: "20 seconds"
      })
    )
    const [stdout] = yield* Effect.all(
      [
        Stream.mkString(Stream.decodeText(child.stdout)),
        child.stderr.pipe(
          Stream.decodeText,
          Stream.tap(() => whenSaid),
          Stream.mapAccum(() => "", cutLines, { onHalt: (rest) => (rest === "" ? [] : [rest]) }),
          Stream.runForEachArray((lines) =>
            Effect.flatMap(
              Ref.modify(log, (before) => {
                const [after, shown] = followLines(before, lines)
                return [shown, after]
              }),
              (shown) => (shown.length === 0 ? Effect.void : Console.log(shown.join("\n")))
            )
          )
        )
      ],
      { concurrency: "unbounded" }
    )
    const exitCode: number = yield* child.exitCode
    return { exitCode, stdout: stdout.trim(), log: yield* Ref.get(log) } satisfies Finished
  },
  (effect) => Effect.scoped(effect)
)
