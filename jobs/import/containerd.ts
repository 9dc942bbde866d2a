/**
 * Asks containerd, by its own client `ctr`, to pull an image, what it has under
 * a name, and to forget a name. Namespace k8s.io is where CRI, and so kubelet,
 * looks.
 */
import { Console, Effect, FileSystem, Ref, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { cleanText } from "../../lib/nixbuild/termination-message.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"

// A bar for each blob ten times a second: nothing that a log needs.
const progress = /\|[+-]+\||^elapsed: /u

// What ctr says before it fails is short; a list of images could be long.
const maxTailLines = 40

/** Where containerd listens, and an image's name there. */
export interface Named {
  readonly socket: string
  readonly reference: string
}

/**
 * Lets `ctr`, which resolves and fetches in its own process, pull from the
 * registry that `hostsDirectory` names. It makes the name when it has fetched
 * all and before it unpacks, and leaves it there when unpacking fails.
 */
export const pull = (
  options: Named & {
    readonly hostsDirectory: string
    readonly architecture: string
    readonly labels?: ReadonlyArray<string>
  }
) =>
  ctr(options.socket, [
    "images",
    "pull",
    "--local",
    "--hosts-dir",
    options.hostsDirectory,
    "--platform",
    `linux/${options.architecture}`,
    ...(options.labels ?? []).flatMap((label) => ["--label", label]),
    options.reference
  ])

// CRI gives each image that lacks this label a second name, which would stay, and writes the first one again, which
// could be after we took it away (containerd, `UpdateImage` in internal/cri/server/images).
export const managedByCri = "io.cri-containerd.image=managed"

/** Tells ctr that a registry is this server, and that there is no other: a folder for `hostsDirectory`. */
export const writeHosts = Effect.fnUntraced(function* (registry: string, url: string) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped()
  yield* fs.makeDirectory(`${directory}/${registry}`)
  yield* fs.writeFileString(
    `${directory}/${registry}/hosts.toml`,
    `server = "${url}"\n\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`
  )
  return directory
})

/** Takes a name away; what only it named goes with containerd's next collection. */
export const removeName = ({ reference, socket }: Named) => ctr(socket, ["images", "rm", reference])

/** The digest that containerd has under `reference`, undefined if it has none. */
export const digestInContainerd = Effect.fn("digestInContainerd")(function* ({ reference, socket }: Named) {
  const lines = yield* ctr(socket, ["images", "ls", `name==${JSON.stringify(reference)}`])
  const line = lines.find((one) => one.startsWith(`${reference} `))
  return /\ssha256:[0-9a-f]{64}\s/u.exec(line ?? "")?.[0].trim()
})

const ctr = Effect.fnUntraced(
  function* (socket: string, command: ReadonlyArray<string>) {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const tail = yield* Ref.make<ReadonlyArray<string>>([])
    const child = yield* spawner.spawn(
      ChildProcess.make("ctr", ["--address", socket, "--namespace", "k8s.io", ...command], {
        stdin: "ignore",
        forceKillAfter: "5 seconds"
      })
    )
    yield* child.all.pipe(
      Stream.decodeText,
      Stream.splitLines,
      Stream.map(cleanText),
      Stream.filter((line) => !progress.test(line)),
      Stream.runForEach((line) =>
        Effect.andThen(
          Console.log(line),
          Ref.update(tail, (lines) => [...lines, line].slice(-maxTailLines))
        )
      )
    )
    const lines = yield* Ref.get(tail)
    if ((yield* child.exitCode) === 0) return lines
    const reason = lines.findLast((line) => line.startsWith("ctr: ")) ?? "ctr said nothing"
    return yield* new Failure({
      reason: "ImportFailed",
      message: `containerd did not accept the image (${reason}). Read the log, and check containerd on the node.`,
      log: lines.join("\n")
    })
  },
  (effect) => Effect.scoped(effect)
)
