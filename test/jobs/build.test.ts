/** The build Job's program as a process, with scripts in the place of Nix's programs. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { hold } from "../../jobs/cache/locks.ts"
import { dockerArchive, parts } from "../oci/archives.ts"
import { own } from "./cache.ts"
import { linkTo, run, withNix } from "./program.ts"

const services = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices>) =>
  Effect.provide(effect, NodeServices.layer)

/** `megabytes` of log in lines of 1000 bytes, as Nix tells them. */
const print = (megabytes: number) =>
  `yes '@nix {"action":"result","fields":["${"x".repeat(1000)}"],"id":1,"type":101}' | head -n ${megabytes * 1000} >&2`

describe.concurrent("build", { timeout: 60_000 }, () => {
  it.live("100 MB of log do a build no harm: 9 MiB are shown, and nobody else has the cache meanwhile", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const archive = `${yield* fs.makeTempDirectoryScoped()}/image.tar`
      yield* fs.writeFile(archive, yield* dockerArchive(yield* parts))
      const made = yield* withNix("")
      const { lock } = made.cache
      yield* made.program(
        "nix-store",
        `flock --nonblock --exclusive ${lock} echo free > ${made.root}/seen
       flock --nonblock --shared ${lock} echo shared >> ${made.root}/seen
       ${print(100)}
       ${linkTo(archive)}`
      )
      const { result, shown } = yield* run(made.root, 60)
      assert.strictEqual(result.outcome, "Succeeded")
      assert.isBelow(shown.length, 9.1 * 2 ** 20)
      assert.isAbove(shown.length, 8 * 2 ** 20)
      assert.match(shown, /x\nThe log exceeds 9 MiB[^\n]*\nreading the image from/)
      assert.match(shown, /is ready to be imported\n$/)
      assert.isFalse(yield* fs.exists(made.cache.fetchedOf(own)), "what was fetched for it alone")
      assert.strictEqual(yield* fs.readFileString(`${made.root}/seen`), "shared\n")
    }).pipe(Effect.scoped, services)
  )

  for (const [hash, reason] of [
    ["00ff", "FetchFailed"],
    ["", "BuildFailed"]
  ] as const) {
    it.live(`whether what failed is a download is in its derivation, not in its log: ${reason}`, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const drv = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-source.drv"
        const raw = `Cannot build '\u001b[35;1m${drv}\u001b[0m'.\nReason: \u001b[31;1mbuilder failed with exit code 1\u001b[0m.`
        const said = [
          { action: "result", type: 101, fields: ["unable to download: No space left on device"] },
          { action: "msg", level: 0, msg: "error: hash mismatch in file downloaded from 'x'" },
          { action: "msg", level: 0, msg: `error: ${raw}`, raw_msg: raw }
        ].map((line) => `@nix ${JSON.stringify(line)}`)
        const made = yield* withNix("")
        yield* fs.makeDirectory(`${made.root}/store`)
        yield* fs.writeFileString(
          made.cache.physical(drv),
          `Derive([("out","/nix/store/source","${hash && "sha256"}","${hash}")],[],[]`
        )
        yield* fs.writeFileString(`${made.root}/said`, said.join("\n"))
        yield* made.program("nix-store", `cat ${made.root}/said >&2; exit 1`)
        const { result } = yield* run(made.root, 60)
        assert.strictEqual(result.outcome === "Failed" ? result.reason : result.outcome, reason)
        assert.strictEqual(
          result.outcome === "Failed" ? result.log.split("\n", 1)[0] : "",
          "unable to download: No space left on device"
        )
      }).pipe(Effect.scoped, services)
    )
  }

  it.live("waiting for a collection counts against the time limit, and the log says what was waited for", () =>
    Effect.gen(function* () {
      const made = yield* withNix("")
      yield* hold({ path: made.cache.intent, mode: "exclusive", waitingFor: "nothing" })
      const { result } = yield* run(made.root, 1)
      assert.deepInclude(result, {
        outcome: "Failed",
        reason: "TimedOut",
        log: "waiting for the collection of the cache"
      })
    }).pipe(Effect.scoped, services)
  )
})
