/** Which room may import which, and what decisions are made of. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { dirname, normalize } from "node:path"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { ConditionType } from "../../lib/api/nixbuild-condition.ts"
import { ConditionType as ImageConditionType, nixImages } from "../../lib/api/niximage.ts"
import type { Kind } from "../../lib/kubernetes/kind.ts"
import { functionsAmong } from "../../lib/runtime/definition.ts"
import { ours } from "./toy.ts"

/** Each room with what it is for, and the rooms that it may import; "" are the files that are in no room. */
const rooms: Readonly<Record<string, readonly [duty: string, imports: ReadonlyArray<string>]>> = {
  "lib/": ["what needs nothing of ours", []],
  "lib/cloudevents": ["the CloudEvents specification", ["lib/"]],
  "lib/oci": ["images as bytes, and the registry protocol", ["lib/"]],
  "lib/kubernetes": ["how one speaks to an API server, and Kubernetes' own kinds", ["lib/"]],
  "lib/api": ["what users write and read", ["lib/", "lib/kubernetes"]],
  "lib/memory": ["an API server in memory", ["lib/", "lib/kubernetes"]],
  "lib/runtime": [
    "how functions run: events, queue, reconciliation, writes",
    ["lib/", "lib/api", "lib/cloudevents", "lib/kubernetes"]
  ],
  "lib/nixbuild": [
    "what several functions know of a NixBuild",
    ["lib/", "lib/api", "lib/kubernetes", "lib/oci", "lib/runtime"]
  ],
  "lib/niximage": [
    "what several functions know of a NixImage",
    ["lib/", "lib/api", "lib/kubernetes", "lib/nixbuild", "lib/oci", "lib/runtime"]
  ],
  "lib/telemetry": [
    "metrics and traces, made of what the runtime tells observers",
    ["lib/", "lib/api", "lib/kubernetes", "lib/nixbuild", "lib/runtime"]
  ],
  "lib/server": [
    "processes that answer over HTTP",
    ["lib/api", "lib/cloudevents", "lib/kubernetes", "lib/runtime", "lib/telemetry"]
  ],
  functions: [
    "one step of a life each, or a protocol",
    ["lib/", "lib/api", "lib/kubernetes", "lib/nixbuild", "lib/niximage", "lib/oci", "lib/runtime"]
  ],
  jobs: ["programs of the Jobs", ["lib/api", "lib/nixbuild", "lib/oci"]],
  embedded: [
    "all functions in one process",
    ["lib/api", "lib/kubernetes", "lib/runtime", "lib/server", "lib/telemetry"]
  ],
  eventing: ["what stands beside a Broker", ["lib/runtime", "lib/server"]],
  generate: [
    "manifests and pages that are made of the code; nobody imports it",
    ["lib/", "lib/api", "lib/kubernetes", "lib/runtime", "lib/telemetry", "cli"]
  ],
  cli: [
    "the command line",
    ["lib/", "lib/api", "lib/kubernetes", "lib/memory", "lib/nixbuild", "lib/niximage", "lib/runtime"]
  ]
}

const roomOf = (file: string): string => {
  const [top = "", second = "", third] = file.split("/")
  return top === "lib" ? (third === undefined ? "lib/" : `lib/${second}`) : top
}

const sourcesIn = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const names = (yield* files.readDirectory(folder, { recursive: true })).filter((name) => name.endsWith(".ts"))
  return yield* Effect.forEach(names, (name) =>
    Effect.map(files.readFileString(`${folder}/${name}`), (text) => ({ file: `${folder}/${name}`, text }))
  )
})

interface Source {
  readonly file: string
  readonly text: string
}

const importsOf = ({ file, text }: Source) =>
  [...text.matchAll(/^(?:import|export)\b[^"=(]*"([^"]+)"|import\("([^"]+)"\)/gm)].map(([, named = "", dynamic]) => {
    const path = dynamic ?? named
    return path.startsWith(".") ? normalize(`${dirname(file)}/${path}`) : path
  })

const all = Effect.map(
  Effect.forEach([...new Set(Object.keys(rooms).map((room) => room.split("/", 1)[0] ?? ""))], sourcesIn),
  (found) => found.flat()
)

describe("the rooms", () => {
  it.effect("import what their row says, and are all in the table", () =>
    Effect.gen(function* () {
      const strays = (yield* all).flatMap((source) => {
        const room = roomOf(source.file)
        const [, allowed] = rooms[room] ?? assert.fail(`${source.file} is in no room of the table`)
        return importsOf(source)
          .filter((path) => Object.hasOwn(rooms, roomOf(path)))
          .filter((path) => roomOf(path) !== room && !allowed.includes(roomOf(path)))
          .map((path) => `${source.file} imports ${path}`)
      })
      assert.deepStrictEqual(strays, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("have no import that nothing uses: the table says what is, not what may be", () =>
    Effect.gen(function* () {
      const used = new Set(
        (yield* all).flatMap((source) => importsOf(source).map((path) => `${roomOf(source.file)} ${roomOf(path)}`))
      )
      const unused = Object.entries(rooms).flatMap(([room, [, allowed]]) =>
        allowed.map((one) => `${room} ${one}`).filter((pair) => !used.has(pair))
      )
      assert.deepStrictEqual(unused, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("keep functions apart: none imports another", () =>
    Effect.gen(function* () {
      const ofFunction = (file: string) => file.split("/")[1]
      const ties = (yield* sourcesIn("functions")).flatMap((source) =>
        importsOf(source)
          .filter((path) => path.startsWith("functions/") && ofFunction(path) !== ofFunction(source.file))
          .map((path) => `${source.file} imports ${path}`)
      )
      assert.deepStrictEqual(ties, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})

/** The files that a file is made of at run time, within its own function; what only lends its types is none. */
const madeOf = (sources: ReadonlyMap<string, Source>, file: string, seen = new Set<string>()): ReadonlySet<string> => {
  const source = sources.get(file)
  if (source === undefined || seen.has(file)) return seen
  seen.add(file)
  const values = { file, text: source.text.replaceAll(/^import type /gm, "") }
  for (const path of importsOf(values)) {
    if (path.startsWith("functions/") && !/\/observe[^/]*$/.test(path)) madeOf(sources, path, seen)
  }
  return seen
}

describe("a decision", () => {
  it.effect("is made without effects, clocks and reads", () =>
    Effect.gen(function* () {
      const sources = new Map((yield* all).map((source) => [source.file, source]))
      for (const { name } of functionsAmong(ours)) {
        const files = [...madeOf(sources, `functions/${name}/decide.ts`)]
        assert.include(files, `functions/${name}/decide.ts`)
        for (const file of files) {
          assert.notMatch(sources.get(file)?.text ?? "", /yield\*|Effect\.(?!succeed)|\b(?:Clock|Cluster|Date)\b/, file)
        }
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it("sets the conditions that its function lists; each type of a kind is set by one function, and a NixBuild's Ready follows from the rest", () => {
    const setOf = (kind: Pick<Kind, "kind">) =>
      functionsAmong(ours)
        .filter(({ permissions }) =>
          permissions.some((one) => one.subresource === "status" && one.kind.kind === kind.kind)
        )
        .flatMap(({ sets = [] }) => sets)
        .toSorted()
    assert.deepStrictEqual([...setOf(nixBuilds), "Ready"].toSorted(), [...ConditionType.literals].toSorted())
    assert.deepStrictEqual(setOf(nixImages), [...ImageConditionType.literals].toSorted())
  })
})
