/**
 * `npm run images`: builds the images that a cluster runs into Docker;
 * `-- --push PREFIX` also pushes them to a registry, `-- --save FILE` writes
 * them into one file for `ctr images import` on nodes.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { output } from "../tools/command.ts"
import { buildImages } from "./images.ts"
import { version } from "../lib/version.ts"

const docker = (...args: ReadonlyArray<string>) => output({ command: "docker", args })

/** The image by its digest: a tag may be moved, and then another would run on nodes. */
const digestOf = Effect.fnUntraced(function* (pushed: string) {
  const repository = pushed.slice(0, pushed.lastIndexOf(":"))
  const format = "{{range .RepoDigests}}{{println .}}{{end}}"
  const digests = (yield* docker("image", "inspect", "--format", format, pushed)).split("\n")
  return digests.find((digest) => digest.startsWith(`${repository}@`)) ?? pushed
})

const pushFlag = Flag.String("push").pipe(
  Flag.withDescription("Registry and path to push to, such as registry.example.org/tools"),
  Flag.optional
)
const saveFlag = Flag.String("save").pipe(
  Flag.withDescription("File to write the images to, for ctr images import"),
  Flag.optional
)

const images = Command.make(
  "images",
  { push: pushFlag, save: saveFlag },
  Effect.fn("images")(function* ({ push, save }) {
    const built = yield* buildImages
    const names = {
      functions: `enbi-functions:${version}`,
      builder: `enbi-builder:${version}`,
      proxy: `enbi-proxy:${version}`
    }
    const all = [names.functions, names.builder, names.proxy]
    yield* docker("tag", built.functions, names.functions)
    yield* docker("tag", built.builder, names.builder)
    yield* docker("tag", built.proxy, names.proxy)
    yield* Console.log(`Built ${all.join(", ")}.`)
    if (Option.isSome(save)) {
      yield* docker("save", "-o", save.value, ...all)
      yield* Console.log(
        `Wrote ${save.value}. On every node: ctr -n k8s.io images import ${save.value} (k3s: k3s ctr images import ${save.value})`
      )
    }
    if (Option.isSome(push)) {
      const prefix = push.value.replace(/\/+$/, "")
      for (const name of all) {
        yield* docker("tag", name, `${prefix}/${name}`)
        yield* docker("push", `${prefix}/${name}`)
      }
      const builder = yield* digestOf(`${prefix}/${names.builder}`)
      const role = JSON.stringify([{ op: "add", path: "/rules/0/resourceNames/0", value: builder }])
      const data = JSON.stringify({ data: { BUILDER_IMAGE: builder } })
      yield* Console.log(
        [
          "Pushed them. With kustomize: examples/own-registry. By hand, after kubectl apply -k embedded:",
          `  kubectl patch role -n enbi-system enbi-builder --type=json -p '${role}'`,
          `  kubectl patch configmap -n enbi-system enbi-builder --type=merge -p '${data}'`,
          `  kubectl set image -n enbi-system deployment/enbi-functions functions=${prefix}/${names.functions}`,
          `  kubectl set image -n enbi-system deployment/image-registry server=${prefix}/${names.functions}`,
          `  kubectl set image -n enbi-system daemonset/image-registry-proxy proxy=${prefix}/${names.proxy}`,
          "  kubectl rollout restart -n enbi-system deployment/enbi-functions"
        ].join("\n")
      )
    }
  })
).pipe(Command.withDescription("Build the images of the functions, of the builder and of the registry's proxy"))

images.pipe(
  Command.run({ version }),
  Effect.tapError((error) => Console.error(error.message)),
  Effect.provide(NodeServices.layer),
  (program) => NodeRuntime.runMain(program, { disableErrorReporting: true })
)
