/** `enbi decisions` on what the functions really recorded, in a file and in their log. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { makeApiServer } from "../memory/api-server.ts"
import { onePodInVain, twoNodes } from "../memory/given.ts"
import { leadingTo } from "./cluster.ts"
import { directory, linesOf, record } from "./recording.ts"
import { run } from "./run.ts"

/** As the functions log it, in between other lines. */
const logged = (lines: ReadonlyArray<string>): string =>
  lines
    .map((line) => {
      const { time, ...decision } = JSON.parse(line)
      const rest = { level: "INFO", timestamp: time, annotations: {}, spans: {}, fiberId: "#1" }
      return `${JSON.stringify({ message: "started", ...rest })}\n${JSON.stringify({ message: ["decided", decision], ...rest })}\n`
    })
    .join("")

/** The heads of what was listed: `function event`. */
const headsIn = (out: string) =>
  linesOf(out)
    .filter((line) => !line.startsWith(" "))
    .map((line) => line.split(/ {2,}/).slice(2).join(" "))

/** A file with these lines in it. */
const fileOf = Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
  const files = yield* FileSystem.FileSystem
  const file = `${yield* directory}/some.jsonl`
  yield* files.writeFileString(file, lines.map((line) => `${line}\n`).join(""))
  return file
})

const forbidden = HttpServerResponse.jsonUnsafe({ message: "pods is forbidden", reason: "Forbidden" }, { status: 403 })

/** In which these Pods are the functions'; `log` gives what one has logged, or nothing where that may not be read. */
const clusterOf = Effect.fnUntraced(function* (
  pods: ReadonlyArray<string>,
  log: (asked: string) => string | undefined
) {
  const server = makeApiServer()
  for (const name of [...pods, "other"]) {
    const labels = { "app.kubernetes.io/part-of": name === "other" ? name : "enbi-functions" }
    const spec = { containers: [{ name: "functions" }] }
    yield* server.objects.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "enbi-system", labels },
      spec
    })
  }
  return leadingTo(server, { log: (asked) => log(asked) ?? Effect.succeed(forbidden) })
})

layer(NodeServices.layer)("enbi decisions", (it) => {
  it.effect("list tells the story of a build that failed: each decision and its writes", () =>
    Effect.gen(function* () {
      const { file } = yield* record({ given: onePodInVain })
      const { code, out } = yield* run(["decisions", "list", file])
      assert.strictEqual(code, 0)
      const acted = linesOf(out).filter((line) => !line.endsWith("nothing to do"))
      assert.deepStrictEqual(
        acted.map((line) =>
          line
            .replace(/^\w{10} /, "")
            .replace(/[0-9a-f]{10}/g, "#")
            .trim()
        ),
        linesOf(`
 1970-01-01T00:00:00.000Z  pod-failure-detector  add Pod apps/b
  Create NixBuild apps/podwatcher-#: Pod b waits for reg.io/b:1
 1970-01-01T00:00:00.000Z  pod-failure-detector  add NixBuild apps/podwatcher-#
  Create Event apps/b.#: Event on the Pod: ImageBuilding
 1970-01-01T00:00:00.000Z  scheduler             add NixBuild apps/podwatcher-#
  Create Lease enbi-system/enbi-tag-####: No namespace has claimed reg.io/b:1 yet
  PatchStatus NixBuild apps/podwatcher-#: Node one has a free slot
 1970-01-01T00:00:00.000Z  job-launcher          update NixBuild apps/podwatcher-#
  Create PersistentVolume enbi-uid-#-#: The cache of this namespace is on the node
  Create Job enbi-system/enbi-volume-#: one has no cache for this namespace yet
  PatchStatus NixBuild apps/podwatcher-#: On one: VolumePending
 1970-01-01T00:00:00.000Z  job-launcher          update Job enbi-system/enbi-volume-#
  Create NetworkPolicy apps/enbi-build-egress: Builds may reach what is public
  Create PersistentVolumeClaim apps/enbi-cache-#: The directories of the cache are there
  Create Job apps/podwatcher-#-build-#: one builds
  PatchStatus NixBuild apps/podwatcher-#: On one: JobCreated
 1970-01-01T00:00:00.000Z  importer-status       update Pod apps/podwatcher-#-build-#-b3a6f
  Create Event apps/podwatcher-#.#: Event on the NixBuild: BuildFailed
  PatchStatus NixBuild apps/podwatcher-#: What the Jobs on its nodes came to
 1970-01-01T00:00:00.000Z  pod-failure-detector  update NixBuild apps/podwatcher-#
  Create Event apps/b.#: Event on the Pod: BuildFailed`).map((line) => line.trim())
      )
    })
  )

  it.effect(
    "list finds by function, object, uid and time, and by all of them together",
    () =>
      Effect.gen(function* () {
        const { file, lines } = yield* record({ given: twoNodes })
        const count = (...args: ReadonlyArray<string>) =>
          Effect.map(run(["decisions", "list", file, ...args]), ({ code, out }) =>
            code === 0 ? headsIn(out).length : -1
          )
        const all = lines.map((line) => JSON.parse(line))
        const some = (test: (record: (typeof all)[number]) => boolean) => all.filter(test).length
        assert.strictEqual(yield* count(), lines.length)
        assert.strictEqual(
          yield* count("--function", "scheduler"),
          some((each) => each.function === "scheduler")
        )
        const isC = (object: { kind?: string; name?: string }) => object.kind === "NixBuild" && object.name === "c"
        const ofC = some(({ event, subject, writes }) => [event, subject, ...writes].some(isC))
        assert.isAbove(ofC, 3)
        assert.strictEqual(yield* count("--kind", "NixBuild", "--name", "c", "-n", "apps"), ofC)
        assert.strictEqual(yield* count("--kind", "NixBuild", "--name", "c", "-n", "other"), 0)
        // No object is both: the words must mean one and the same.
        assert.strictEqual(yield* count("--kind", "Node", "--name", "c"), 0)
        const uid = all.find(({ subject }) => subject.kind === "NixBuild" && subject.uid !== undefined)?.subject.uid
        assert.strictEqual(yield* count("--uid", uid), lines.filter((line) => line.includes(uid)).length)
        assert.isAbove(yield* count("--uid", uid, "--function", "scheduler"), 0, "scheduler observes it as one of many")
        const late = some(({ time }) => time > "1970-01-01T00:00:01Z")
        assert.isAbove(late, 0)
        assert.strictEqual(yield* count("--since", "1970-01-01T00:00:01Z"), late)
        assert.strictEqual(yield* count("--until", "1970-01-01T00:00:01Z"), lines.length - late)
        // By the test's clock all of it is yet to come, in the next hour.
        assert.strictEqual(yield* count("--since", "1h"), lines.length)
        assert.strictEqual(yield* count("--until", "1s"), 0)
        assert.strictEqual(yield* count("--failed"), 0)
      }),
    30_000
  )

  it.effect(
    "list and replay read the functions' log: of the cluster, from standard input, with what kubectl puts before a line",
    () =>
      Effect.gen(function* () {
        const { file, lines } = yield* record({ given: onePodInVain })
        const stdout = logged(lines)
        const expected = headsIn((yield* run(["decisions", "list", file])).out)
        const asked: Array<string> = []
        const one = yield* clusterOf(["one"], (words) => (asked.push(words), stdout))
        const ofCluster = yield* run(["decisions", "list", "--context", "far"], { cluster: one })
        assert.deepStrictEqual(headsIn(ofCluster.out), expected)
        yield* run(["decisions", "list", "-f"], { cluster: one })
        const log = "enbi-system/one?container=functions"
        assert.deepStrictEqual(asked, [`${log}&follow=false&timestamps=true`, `${log}&follow=true&timestamps=false`])
        // Of three functions, each in a Pod of its own, one after the other.
        const times = linesOf(stdout).map((line, index) => {
          const time = new Date(Date.UTC(2026, 10, 21) + 1000 * index).toISOString()
          // The second runs on a node of another zone.
          return `${index % 3 === 1 ? time.replace("T00", "T02").replace("Z", "+02:00") : time} ${line}`
        })
        const pods = ["0", "1", "2", "3"]
        const cluster = yield* clusterOf(pods, (words) => {
          const pod = Number(/^enbi-system\/(\d)/.exec(words)?.[1])
          return pod === 3 ? undefined : times.filter((_, index) => index % 3 === pod).join("\n")
        })
        const sorted = yield* run(["decisions", "list"], { cluster })
        assert.deepStrictEqual(headsIn(sorted.out), expected)
        assert.include(sorted.failure, "error: pods is forbidden")
        assert.deepStrictEqual(headsIn((yield* run(["decisions", "list", "-"], { stdin: stdout })).out), expected)
        const prefixed = stdout.replace(/^(?=\{)/gm, "[pod/enbi-functions-1/functions] 2026-11-21T00:00:00Z ")
        assert.deepStrictEqual(headsIn((yield* run(["decisions", "list", "-"], { stdin: prefixed })).out), expected)
        const replayed = yield* run(["decisions", "replay", "-"], { stdin: stdout })
        assert.strictEqual(replayed.out, `Same decision: ${lines.length}; different: 0; cannot be decided again: 0.`)
      }),
    30_000
  )

  it.effect("show and json tell everything of those that are meant, without secrets", () =>
    Effect.gen(function* () {
      const { lines } = yield* record({ given: onePodInVain })
      const leaky = lines.map((line) => line.replaceAll("It does not build", "password=xyzzy It does not build"))
      assert.include(leaky.join(), "xyzzy")
      const file = yield* fileOf(leaky)
      const [, id = ""] =
        /^(\w{10}) .*importer-status {2,}update Pod.*b3a6f$/m.exec((yield* run(["decisions", "list", file])).out) ?? []
      const { out } = yield* run(["decisions", "show", file, "--id", id.slice(0, 6)])
      assert.match(out, new RegExp(`^---\n# ${id}\ntime: `))
      for (const part of ["\nobserved:\n", "\nactions:\n", "phase: Failed", "password=… It does not build"])
        assert.include(out, part)
      assert.notInclude(out, "xyzzy")
      const json = yield* run(["decisions", "list", file, "-o", "json"])
      assert.lengthOf(linesOf(json.out), lines.length)
      assert.notInclude(json.out, "xyzzy")
      // What was taken out changes nothing: it can be decided again by whoever gets it.
      const again = yield* run(["decisions", "replay", "-"], { stdin: json.out })
      assert.strictEqual(again.out, `Same decision: ${lines.length}; different: 0; cannot be decided again: 0.`)
    })
  )

  it.effect("replay shows what is decided otherwise today, and ends with 1", () =>
    Effect.gen(function* () {
      const { lines } = yield* record({ given: onePodInVain })
      const whole = lines.find((line) => line.includes('"function":"scheduler"') && line.includes("a free slot")) ?? ""
      // Then, two had a slot; of a record in the log only the summary can be compared.
      const other = whole.replaceAll("Node one has a free slot", "Node two has a free slot")
      const { actions: _, ...brief } = JSON.parse(other)
      const file = yield* fileOf([whole, other, JSON.stringify(brief)])
      const { code, out } = yield* run(["decisions", "replay", file])
      assert.strictEqual(code, 1)
      assert.include(out, "Same decision: 1; different: 2; cannot be decided again: 0.")
      const changed = linesOf(out).filter((line) => /^[-+] /.test(line))
      const then = "why: Node two has a free slot"
      const now = "why: Node one has a free slot"
      assert.deepStrictEqual(
        changed.map((line) => line.replace(/\s+/g, " ")),
        [`- ${then}`, `+ ${now}`, `- ${then}`, `+ ${now}`]
      )
    })
  )

  it.effect("replay says which decisions it cannot make again, and why", () =>
    Effect.gen(function* () {
      const { lines } = yield* record({ given: onePodInVain })
      const first = JSON.parse(lines[0] ?? "")
      const file = yield* fileOf(
        [
          { ...first, observed: "left out: 20000 characters" },
          { ...first, function: "gone" },
          { ...first, observed: { time: 1 } }
        ].map((each) => JSON.stringify(each))
      )
      const { code, out } = yield* run(["decisions", "replay", file])
      assert.strictEqual(code, 0)
      assert.include(out, "too long for the log: set DECISIONS_FILE, or LOG_LEVEL=Debug")
      assert.include(out, "there is no function gone")
      assert.match(out, /what was observed cannot be read by this version: Expected string/)
      assert.include(out, "Same decision: 0; different: 0; cannot be decided again: 3.")
    })
  )

  const mistakes: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["a file that is none of ours", ["decisions", "list", "README.md"], /no decision in README.md.*DECISIONS_FILE/s],
    ["a file that is not there", ["decisions", "show", "nothing.jsonl"], /nothing.jsonl cannot be read: NotFound/],
    [
      "a time that is none",
      ["decisions", "list", "--since", "monday", "-"],
      /such as 2026-11-21T11:09:53Z, or how long ago/
    ],
    ["an empty log", ["decisions", "replay", "-"], /no decision in -/]
  ]
  for (const [what, args, message] of mistakes) {
    it.effect(`says what to do about ${what}, and ends with 2`, () =>
      Effect.gen(function* () {
        const { code, failure } = yield* run(args)
        assert.strictEqual(code, 2)
        assert.match(failure, message)
      })
    )
  }

  it.effect("says when the API server refuses, and ends with 2", () =>
    Effect.gen(function* () {
      const cluster = HttpRouter.add("*", "/*", forbidden)
      const { code, failure } = yield* run(["decisions", "list"], { cluster })
      assert.strictEqual(code, 2)
      assert.match(failure, /pods is forbidden\. Is it the right cluster \(--context\)/)
    })
  )

  it.effect("says when there is no kubeconfig, no such context or no API server, and ends with 2", () =>
    Effect.gen(function* () {
      const none = yield* run(["decisions", "list"])
      assert.strictEqual(none.code, 2)
      assert.include(none.failure, "There is no kubeconfig ")
      const cluster = yield* clusterOf([], () => "")
      const nowhere = yield* run(["decisions", "list", "--context", "nowhere"], { cluster })
      assert.strictEqual(nowhere.code, 2)
      assert.include(nowhere.failure, "There is no context nowhere ")
    })
  )
})
