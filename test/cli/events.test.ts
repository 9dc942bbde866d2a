/** `enbi events`: which events are found in what people have, and what comes of them when they come again. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import type { WholeEvent } from "../../cli/events/event-file.ts"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { nixBuild, onePod, onePodInVain } from "../memory/given.ts"
import { play } from "../memory/story.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { leadingTo } from "./cluster.ts"
import { decisionsFile, directory, linesOf, record, undisturbed } from "./recording.ts"
import { run } from "./run.ts"
import { sink } from "./sink.ts"

const makeEvent = (id: string, more: object = {}): WholeEvent => ({
  specversion: "1.0",
  id,
  source: "test",
  type: "dev.knative.apiserver.ref.update",
  kind: "Pod",
  namespace: "apps",
  name: "a",
  ...more
})
const jsonLines = (...values: ReadonlyArray<unknown>) => values.map((value) => `${JSON.stringify(value)}\n`).join("")

/** An API server in which these objects are. */
const serverWith = Effect.fnUntraced(function* (given: ReadonlyArray<KubernetesObject>) {
  const server = makeApiServer()
  for (const object of given) yield* server.objects.create(object)
  return server
})

layer(NodeServices.layer)("enbi events", (it) => {
  it.effect(
    "replay --apply of a whole life, once it is over, leads to no write",
    () =>
      Effect.gen(function* () {
        const file = `${yield* directory}/decisions.jsonl`
        let sent = 0
        const marks = new Set<unknown>()
        yield* play({
          given: onePod,
          happens: (stage) =>
            Effect.gen(function* () {
              yield* undisturbed(stage)
              const { attempts } = stage.api
              const { length } = attempts
              assert.isAbove(length, 10)
              const url = yield* sink((event) => {
                sent += 1
                marks.add(event["replayid"])
                return Effect.as(stage.first.deliver(event), 204)
              })
              const args = ["events", "replay", file, "--to", url, "--apply"]
              const { code, out } = yield* run(args)
              assert.strictEqual(code, 0, out)
              assert.deepStrictEqual(attempts.slice(length), [])
              const inOrder = sent
              for (const seed of ["1", "2", "3"]) {
                yield* run([...args, "--shuffle", "--duplicate", "--drop", "--seed", seed])
                assert.deepStrictEqual(attempts.slice(length), [], `--seed ${seed}`)
              }
              assert.isAbove(sent, 2 * inOrder)
              sent = inOrder
              // And what it would lead to is nothing, too.
              const dry = yield* run(["events", "replay", file], { cluster: leadingTo(stage.api) })
              assert.match(dry.out, new RegExp(`\n${sent} events would cause 0 writes. Nothing was sent or written`))
              assert.deepStrictEqual(attempts.slice(length), [])
            }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.orDie)
        }).pipe(Effect.provide(decisionsFile({ DECISIONS_FILE: file })))
        assert.isAbove(sent, 15)
        assert.deepStrictEqual([...marks], ["1970-01-01T00:00:00.000Z"])
      }),
    30_000
  )

  it.effect("replay shows what each function would do now, with the settings of the cluster, and writes nothing", () =>
    Effect.gen(function* () {
      const other = nixBuild({ name: "b", image: "reg.io/b:1", packageName: "good", nodes: [] })
      // The scheduler would place it, but an event about a Pod does not come to it.
      const server = yield* serverWith([...onePod, other])
      const cluster = leadingTo(server)
      const stdin = jsonLines(makeEvent("1"), makeEvent("2", { name: "gone" }))
      const { code, out } = yield* run(["events", "replay", "-"], { stdin, cluster })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(
        linesOf(out).map((line) => line.replace(/[0-9a-f]{10}/g, "#")),
        [
          "update Pod apps/a  1",
          "  pod-failure-detector: Create NixBuild apps/podwatcher-#: Pod a waits for reg.io/a:1",
          "update Pod apps/gone  2  nothing to do",
          "2 events would cause 1 writes. Nothing was sent or written; --apply --to URL sends them."
        ]
      )
      const elsewhere = yield* run(["events", "replay", "-", "--function", "importer-status"], { stdin, cluster })
      assert.include(elsewhere.out, "2 events would cause 0 writes")
      assert.deepStrictEqual(server.attempts, [])
    })
  )

  it.effect("replay asks for the settings that are not in the cluster, with the Deployment or its ConfigMap", () =>
    Effect.gen(function* () {
      const server = yield* serverWith([])
      for (const missing of ["enbi-functions", "enbi-builder"]) {
        const { code, failure } = yield* run(["events", "replay", "-"], {
          stdin: jsonLines(makeEvent("1")),
          cluster: leadingTo(server, { missing })
        })
        assert.strictEqual(code, 2, missing)
        assert.match(
          failure,
          /not in deployment\/enbi-functions in enbi-system: give them as environment.*BUILDER_IMAGE/s
        )
      }
    })
  )

  it.effect("replay --apply sends them in order, marked, with all that they say; and tells which are refused", () =>
    Effect.gen(function* () {
      const got: Array<WholeEvent> = []
      const url = yield* sink((event) => Effect.sync(() => (got.push(event), event.id === "2" ? 503 : 204)))
      const events = [
        makeEvent("1", { data: { a: [1] }, dataschema: "urn:a" }),
        makeEvent("2"),
        makeEvent("3"),
        makeEvent("4")
      ]
      const args = ["events", "replay", "-", "--to", url, "--apply"]
      const { code, out } = yield* run([...args, "--id", "1", "--id", "2", "--id", "3"], {
        stdin: jsonLines(...events)
      })
      assert.deepStrictEqual(
        got,
        events.slice(0, 3).map((event) => ({ ...event, replayid: "1970-01-01T00:00:00.000Z" }))
      )
      assert.deepStrictEqual(
        linesOf(out).map((line) => line.slice(0, 3)),
        ["204", "503", "204", "3 e"]
      )
      assert.strictEqual(code, 1)
      const elsewhere = yield* run(["events", "replay", "-", "--to", "http://127.0.0.1:1/", "--apply"], {
        stdin: jsonLines(events[0])
      })
      assert.strictEqual(elsewhere.code, 2)
      assert.include(elsewhere.failure, "http://127.0.0.1:1/ does not answer")
    }).pipe(Effect.scoped)
  )

  it.effect("replay --shuffle, --duplicate and --drop do what they say, and the same again with the same seed", () =>
    Effect.gen(function* () {
      const got: Array<string> = []
      const url = yield* sink((event) => Effect.sync(() => (got.push(event.id), 204)))
      const ids = Array.from({ length: 20 }, (_, index) => String(index))
      const stdin = jsonLines(...ids.map((id) => makeEvent(id)))
      const idsWith = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
        const { out } = yield* run(["events", "replay", "-", "--to", url, "--apply", ...args], { stdin })
        return { out, ids: got.splice(0) }
      })
      const { ids: shuffled } = yield* idsWith("--shuffle", "--seed", "7")
      assert.notDeepEqual(shuffled, ids)
      assert.sameMembers(shuffled, ids)
      const { ids: duplicated } = yield* idsWith("--duplicate", "--seed", "7")
      assert.isAbove(duplicated.length, ids.length)
      assert.deepStrictEqual([...new Set(duplicated)], ids)
      const { ids: dropped } = yield* idsWith("--drop", "--seed", "7")
      assert.isBelow(dropped.length, ids.length)
      assert.deepStrictEqual(
        dropped,
        ids.filter((id) => dropped.includes(id))
      )
      const all = ["--shuffle", "--duplicate", "--drop"]
      const { ids: once, out } = yield* idsWith(...all)
      const [, seed = ""] = /^--seed (\d+)$/m.exec(out) ?? []
      assert.deepStrictEqual((yield* idsWith(...all, "--seed", seed)).ids, once)
    }).pipe(Effect.scoped)
  )

  it.effect("replay --speed waits as long as it was between them, divided by the speed", () =>
    Effect.gen(function* () {
      const slept: Array<number> = []
      const clock = yield* Clock.Clock
      const sleepless: Clock.Clock = {
        ...clock,
        currentTimeMillis: clock.currentTimeMillis,
        sleep: (duration) => {
          const millis = Duration.toMillis(duration)
          // The limit of a request; it is not reached.
          return millis === 60_000 ? clock.sleep(duration) : Effect.sync(() => void slept.push(millis))
        }
      }
      const url = yield* sink(() => Effect.succeed(204))
      // The last is older than the one before it: of another process.
      const seconds = ["00", "10", undefined, "40.5", "30"]
      const stdin = jsonLines(
        ...seconds.map((second, index) =>
          makeEvent(String(index), second === undefined ? {} : { time: `2026-11-21T10:00:${second}Z` })
        )
      )
      const args = ["events", "replay", "-", "--to", url, "--apply"]
      yield* run([...args, "--speed", "2"], { stdin }).pipe(Effect.provideService(Clock.Clock, sleepless))
      assert.deepStrictEqual(slept, [0, 5000, 0, 15_250, 0])
      const none = yield* run([...args, "--speed", "0"], { stdin })
      assert.strictEqual(none.code, 2)
      assert.include(none.failure, "--speed 0: it must be more than 0")
    }).pipe(Effect.scoped)
  )

  it.effect("record tells of everything that is there, as the functions are told", () =>
    Effect.gen(function* () {
      const server = yield* serverWith([
        ...onePod,
        nixBuild({ name: "b", image: "reg.io/b:1", packageName: "good", nodes: [] })
      ])
      const { code, out } = yield* run(["events", "record"], { cluster: leadingTo(server), enough: 4 })
      assert.strictEqual(code, 130)
      const events = linesOf(out).map((line) => JSON.parse(line))
      assert.sameMembers(
        events.map(({ kind, name, type }) => `${type} ${kind} ${name}`),
        ["Namespace apps", "Node one", "Pod a", "NixBuild b"].map(
          (what) => `dev.knative.apiserver.resource.add ${what}`
        )
      )
      const replayed = yield* run(["events", "replay", "-", "--name", "b"], { stdin: out, cluster: leadingTo(server) })
      assert.include(replayed.out, "scheduler: PatchStatus NixBuild apps/b: Node one has a free slot")
    })
  )

  it.effect("list finds by object, function, id and time; show and json take out what is secret", () =>
    Effect.gen(function* () {
      const { file } = yield* record({ given: onePodInVain })
      const count = (...args: ReadonlyArray<string>) =>
        Effect.map(run(["events", "list", file, ...args]), ({ out }) => linesOf(out).length)
      const { out } = yield* run(["events", "list", file])
      const lines = linesOf(out)
      assert.lengthOf(new Set(lines), lines.length, "one event, however many decisions it led to")
      const having = (text: string) => lines.filter((line) => line.includes(text)).length
      assert.strictEqual(yield* count("--kind", "Lease"), having(" Lease "))
      assert.strictEqual(
        yield* count("--function", "importer-status"),
        having(" NixBuild ") + having(" Job ") + having(" Pod ")
      )
      assert.strictEqual(yield* count("--id", "uid-"), lines.length)
      assert.strictEqual(yield* count("--since", "1970-01-01T00:00:01Z"), having("1970-01-01T00:05"))
      const stdin = jsonLines(makeEvent("1", { kind: "Secret", data: { kind: "Secret", data: { key: "xyzzy" } } }))
      for (const args of [["show"], ["show", "-o", "json"], ["list", "-o", "json"]]) {
        const shown = yield* run(["events", ...args, "-"], { stdin })
        assert.include(shown.out, "dev.knative.apiserver.ref.update")
        assert.notInclude(shown.out, "xyzzy")
      }
    })
  )

  const mistakes: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    [
      "nowhere to send to",
      ["events", "replay", "-", "--apply"],
      /--to URL: that of a Broker or a function, for example http/
    ],
    [
      "a place that is no URL",
      ["events", "replay", "-", "--to", "localhost:8080"],
      /localhost:8080.*an http or https URL/
    ],
    ["a file without events", ["events", "list", "package.json"], /no event in package.json. Give CloudEvents as JSON/]
  ]
  for (const [what, args, message] of mistakes) {
    it.effect(`says what to do about ${what}, and ends with 2`, () =>
      Effect.gen(function* () {
        const { code, failure } = yield* run(args, { stdin: jsonLines(makeEvent("1")) })
        assert.strictEqual(code, 2)
        assert.match(failure, message)
      })
    )
  }
})
