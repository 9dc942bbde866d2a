/** `enbi image`, with the functions at work in memory. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { flakeOf } from "../../cli/image/flake.ts"
import { buildNameOf } from "../../functions/niximage/request.ts"
import type { ImageRequest } from "../../lib/api/image-request.ts"
import { namespace, nixBuild, nixImage, node, settings } from "../memory/given.ts"
import { play, type Stage } from "../memory/story.ts"
import { build, clusterOf, shortened } from "./building.ts"
import { undisturbed } from "./recording.ts"
import { type Printed, run } from "./run.ts"

const inStory = (happens: (stage: Stage) => Effect.Effect<void, unknown, NodeServices.NodeServices>) =>
  play({
    given: [namespace("apps"), namespace("others"), node("one")],
    happens: (stage) => happens(stage).pipe(Effect.provide(NodeServices.layer), Effect.orDie)
  })

const enbi = (...args: ReadonlyArray<string>) => ["image", ...args]

const imagesIn = ({ api }: Stage) => [...api.objects.objects.values()].filter(({ kind }) => kind === "NixImage")

/** What is asked for with these arguments. */
const asked = Effect.fnUntraced(function* (stage: Stage, ...args: ReadonlyArray<string>) {
  const known = new Set(imagesIn(stage).map(({ metadata }) => metadata.uid))
  yield* run(enbi(...args), { cluster: clusterOf(stage), enough: 1 })
  const made = imagesIn(stage).filter(({ metadata }) => !known.has(metadata.uid))
  return made.map(({ data, metadata }) => ({ namespace: metadata.namespace, name: metadata.name, data }))
})

layer(NodeServices.layer)("enbi image", (it) => {
  it.effect("tells each step to the end, and ends with 0 and the name for Pods; a second time it only says so", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const args = enbi("curl", "jq", "--tag", "tools:v1")
        const { code, out } = yield* run(args, { cluster: clusterOf(stage), during: build(stage) })
        assert.deepStrictEqual(shortened(out), [
          "NixImage apps/tools is created",
          "NodeFound: Node one builds it for x86_64-linux.",
          "VolumePending: The node's cache volume is being prepared.",
          "JobCreated: Job image-#-build-# builds: kubectl logs -n apps job/image-#-build-#",
          "fetching github:a/b",
          "evaluating packages.x86_64-linux.good of github:a/b/0123",
          "building /nix/store/x-good.drv",
          "fetching 1 of 1: /nix/store/z-base",
          "1 of 2: building '/nix/store/y-layer.drv'",
          "2 of 2: building '/nix/store/x-good.drv'",
          "reading the image from /nix/store/x-good",
          "image sha256:# is ready to be imported",
          "publishing to the image registry",
          "The registry serves 127.0.0.1:5080/tools:v1.",
          "image: 127.0.0.1:5080/tools:v1"
        ])
        assert.strictEqual(code, 0)
        const { length } = stage.api.writes
        const again = yield* run(enbi("jq", "curl", "jq", "--tag", "tools:v1"), { cluster: clusterOf(stage) })
        assert.deepStrictEqual(shortened(again.out), [
          "NixImage apps/tools is there already",
          "The registry serves 127.0.0.1:5080/tools:v1.",
          "image: 127.0.0.1:5080/tools:v1"
        ])
        assert.strictEqual(again.code, 0)
        assert.lengthOf(stage.api.writes, length)
      })
    )
  )

  it.effect("ends with the namespace's own name where another namespace holds the other", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        yield* stage.api.objects.create(nixImage({ name: "tools", namespace: "others", contents: ["git"] }))
        yield* undisturbed(stage)
        const { out } = yield* run(enbi("jq", "--tag", "tools:v1"), { cluster: clusterOf(stage), during: build(stage) })
        assert.deepStrictEqual(shortened(out).slice(-2), [
          "The registry serves 127.0.0.1:5080/apps/tools:v1. tools:v1 belongs to NixImage others/tools.",
          "image: 127.0.0.1:5080/apps/tools:v1"
        ])
      })
    )
  )

  it.effect("says of each line for which system it is, where there are several", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { metadata, ...rest } = node("two")
        yield* stage.api.objects.create({
          ...rest,
          metadata: { ...metadata, labels: { "kubernetes.io/arch": "arm64" } }
        })
        const { code, out } = yield* run(enbi("jq", "--tag", "tools:v1"), {
          cluster: clusterOf(stage),
          during: (printed) => Effect.andThen(printed("is created"), undisturbed(stage))
        })
        assert.strictEqual(code, 0)
        assert.include(out, "\n[x86_64-linux] NodeFound: Node one builds it for x86_64-linux.\n")
        assert.include(out, "\n[aarch64-linux] NodeFound: Node two builds it for aarch64-linux.\n")
      })
    )
  )

  it.effect("ends with 1, the end of the log, why it failed, and how to ask for another attempt", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { code, out } = yield* run(enbi("bad", "--tag", "tools:v1"), {
          cluster: clusterOf(stage),
          during: build(stage)
        })
        assert.strictEqual(code, 1)
        const end = [
          "  error: no",
          "Failed: BuildFailed: For x86_64-linux: It does not build for uid-#.",
          "For another attempt: kubectl annotate niximage -n apps tools --overwrite enbi.hrzn.ee/retry=$(date +%s)"
        ]
        assert.deepStrictEqual(shortened(out).slice(-3), end)
        const again = yield* run(enbi("bad", "--tag", "tools:v1"), { cluster: clusterOf(stage) })
        assert.deepStrictEqual(shortened(again.out), ["NixImage apps/tools is there already", ...end])
        assert.strictEqual(again.code, 1)
      })
    )
  )

  it.effect("ends with 1 when a person has to change something first, and says what", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const { code, out } = yield* run(enbi("jq", "--tag", "tools:v1", "--system", "aarch64-linux"), {
          cluster: clusterOf(stage),
          during: (printed) => Effect.andThen(printed("is created"), undisturbed(stage))
        })
        assert.strictEqual(code, 1)
        assert.match(
          out,
          /\nNoMatchingNode: NixBuild apps\/image-.*: one is not arm64\.\nIt waits until that is fixed\./
        )
      })
    )
  )

  it.effect("shows nothing of a NixBuild that is in the way, and says how to remove it", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const image = {
          metadata: { name: "tools", namespace: "apps", uid: "", resourceVersion: "" },
          data: { tag: "v1", contents: ["jq"] }
        }
        const { imageRegistry, packageSet } = settings
        const taken = buildNameOf(image, "x86_64-linux", { imageRegistry, packageSet })
        yield* stage.api.objects.create(nixBuild({ name: taken, image: "reg.io/a:1", packageName: "good", nodes: [] }))
        const { code, out } = yield* run(enbi("jq", "--tag", "tools:v1"), {
          cluster: clusterOf(stage),
          during: (printed) => Effect.andThen(printed("is created"), undisturbed(stage))
        })
        assert.strictEqual(code, 1)
        assert.deepStrictEqual(shortened(out), [
          "NixImage apps/tools is created",
          "NixBuildDiffers: A NixBuild with the name that is needed already exists, but builds something else. Delete it, and the right one is created. NixBuild image-#: kubectl delete nixbuild -n apps image-#",
          "It waits until that is fixed. Run the same command to follow it again."
        ])
      })
    )
  )

  it.effect("says of a NixImage that is something else what differs and how to change it, and leaves it", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        yield* stage.api.objects.create(nixImage({ name: "tools", contents: ["curl", "jq"] }))
        const { length } = stage.api.writes
        const { code, failure, out } = yield* run(
          enbi("jq", "git", "--tag", "tools:v2", "--cmd", "it's", "--system", "x86_64-linux"),
          { cluster: clusterOf(stage) }
        )
        assert.strictEqual(code, 2)
        assert.strictEqual(out, "")
        for (const line of [
          "NixImage apps/tools asks for something else, and is left as it is:",
          '  data.tag is "v1", and you ask for "v2"',
          '  data.contents is ["curl","jq"], and you ask for ["git","jq"]',
          '  data.systems is absent, and you ask for ["x86_64-linux"]',
          '  data.config is absent, and you ask for {"Cmd":["it\'s"]}',
          String.raw`  kubectl patch niximage -n apps tools --type json -p '[{"op":"replace","path":"/data","value":{"tag":"v2","systems":["x86_64-linux"],"contents":["jq","git"],"config":{"Cmd":["it'\''s"]}}}]'`
        ]) {
          assert.include(failure, line)
        }
        assert.lengthOf(stage.api.writes, length)
      })
    )
  )

  it.effect("asks for what its flags say, under the object's name where the image's can be one", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* asked(stage, "jq", "--tag", "a.b-c:v1"), [
          { namespace: "apps", name: "a.b-c", data: { tag: "v1", contents: ["jq"] } }
        ])
        const all =
          "--packages github:a/b --system x86_64-linux --entrypoint=-c --cmd=a --cmd=-d --env A=b --env C= --user 1:2 --omit Tmp --omit Shell --max-layers 5 --allow-unfree -n others"
        const made = yield* asked(
          stage,
          "jq",
          'nodePackages."@angular/cli"',
          "--tag",
          "shell/git:v1",
          ...all.split(" ")
        )
        assert.deepStrictEqual(shortened(JSON.stringify(made)), [
          JSON.stringify([
            {
              namespace: "others",
              name: "shell-git-#",
              data: {
                name: "shell/git",
                tag: "v1",
                packages: "github:a/b",
                systems: ["x86_64-linux"],
                contents: ["jq", 'nodePackages."@angular/cli"'],
                config: { Entrypoint: ["-c"], Cmd: ["a", "-d"], Env: ["A=b", "C="], User: "1:2" },
                maxLayers: 5,
                omit: ["Tmp", "Shell"],
                allowUnfree: true
              }
            }
          ])
        ])
      })
    )
  )

  it.effect("ends with 2 when somebody deletes it, and when the API server does not take it", () =>
    inStory((stage) =>
      Effect.gen(function* () {
        const during = Effect.fnUntraced(function* (printed: Printed) {
          yield* printed("is created")
          yield* Effect.orDie(stage.api.objects.remove({ kind: "NixImage", namespace: "apps", name: "tools" }))
        })
        const cluster = clusterOf(stage)
        const deleted = yield* run(enbi("jq", "--tag", "tools:v1"), { cluster, during })
        assert.strictEqual(deleted.code, 2)
        assert.include(deleted.failure, "The NixImage was deleted")
        stage.api.fate.faultOf = ({ write }) => (write === undefined ? undefined : "broken")
        const refused = yield* run(enbi("jq", "--tag", "tools:v1"), { cluster })
        stage.api.fate.faultOf = () => undefined
        assert.strictEqual(refused.code, 2)
        assert.include(refused.failure, "The API server rejected it: InternalError")
      })
    )
  )

  for (const [args, says] of [
    [["a..b", "--tag", "a:v1"], '"a..b" must be an attribute path'],
    [["jq", "--tag", "127.0.0.1:5080/a:v1"], '"127.0.0.1:5080/a" must be a repository\'s name'],
    [["jq", "--tag", "a:-v1"], '"-v1" must be a tag'],
    [["jq"], "Give the image a name and a tag, such as --tag tools:v1."],
    [["jq", "--tag", "a:v1", "--env", "A"], '"A" must be NAME=value'],
    [["jq", "--tag", "a:v1", "--packages", "path:/x"], '"path:/x" must start with github:'],
    [["jq", "--max-layers", "200", "--print-flake"], "Expected a value between 2 and 125"]
  ] as const) {
    it.effect(`ends with 2, and asks nobody, for ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        const { code, failure, out } = yield* run(enbi(...args))
        assert.deepStrictEqual([code, out], [2, ""])
        assert.include(failure, says)
      })
    )
  }

  it.effect("prints the image as a flake, without any cluster", () =>
    Effect.gen(function* () {
      const { code, out } = yield* run(enbi("jq", "curl", "--packages", "github:a/b", "--cmd", "${x}", "--print-flake"))
      assert.strictEqual(code, 0)
      const request: ImageRequest = { contents: ["jq", "curl"], config: { Cmd: ["${x}"] } }
      assert.strictEqual(out, flakeOf({ request, packages: "github:a/b", systems: ["x86_64-linux", "aarch64-linux"] }))
      const one = yield* run(enbi("jq", "--system", "aarch64-linux", "--print-flake"))
      assert.include(one.out, 'packages.aarch64-linux.default = imageFor "aarch64-linux";')
      assert.notInclude(one.out, "packages.x86_64-linux")
    })
  )
})
