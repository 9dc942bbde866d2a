/**
 * Takes out of CNCF Distribution the manifests that nothing names any more:
 * its own collection, at night, then frees the room. An image is named by a
 * NixImage, as the one that it has or had, or by a NixBuild.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, FileSystem, Layer, Option, Schedule } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { nixImages } from "../../lib/api/niximage.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { pathOf } from "../../lib/kubernetes/kind.ts"
import { currentTime, secondsBetween } from "../../lib/kubernetes/time.ts"
import { makeBuffers } from "./buffers.ts"
import { settings } from "./settings.ts"
import { makeStorage, type Storage } from "./storage.ts"

// What was pushed just now is named when the Job's end has been seen, and that may take its time.
const graceSeconds = 24 * 3600

const pause = "1 hour"

/** A manifest or index of a repository of Distribution. */
export interface Revision {
  readonly repository: string
  readonly digest: string
  readonly pushedTime: string
}

/** Those that nothing names, and that are not new. */
export const unused = (
  there: ReadonlyArray<Revision>,
  named: ReadonlySet<string>,
  time: string
): ReadonlyArray<Revision> =>
  there.filter(({ digest, pushedTime }) => !named.has(digest) && secondsBetween(pushedTime, time) > graceSeconds)

/** What the objects of the cluster name, with the manifests of the indexes among it that are there. */
const namedIn = Effect.fnUntraced(function* (storage: Pick<Storage, "document">, there: ReadonlyArray<Revision>) {
  const api = yield* KubernetesApi
  // Wherever a digest stands, also in what another version of the functions wrote and this one can't read.
  const digestsIn = (object: unknown): ReadonlyArray<string> =>
    JSON.stringify(object).match(/sha256:[0-9a-f]{64}/gu) ?? []
  const lists = yield* Effect.forEach([nixImages, nixBuilds], (kind) => api.list(pathOf(kind), {}, digestsIn))
  const roots = new Set(lists.flatMap(({ items }) => items.flat()))
  // While one of them can't be read nothing is removed, since its manifests may be what nothing else names.
  const present = new Set(there.flatMap(({ digest }) => (roots.has(digest) ? [digest] : [])))
  const documents = yield* Effect.forEach(present, storage.document)
  const manifests = documents.flatMap((document) => document.manifests)
  return new Set([...roots, ...manifests.map(({ digest }) => digest)])
})

/** The revisions that Distribution has, from its files: it lists none. */
const revisionsIn = Effect.fnUntraced(function* (root: string) {
  const files = yield* FileSystem.FileSystem
  const repositories = `${root}/docker/registry/v2/repositories`
  const inFolder = (path: string) => Effect.orElseSucceed(files.readDirectory(path), (): ReadonlyArray<string> => [])
  const found: Array<Revision> = []
  for (const name of yield* inFolder(`${repositories}/builds`)) {
    const repository = `builds/${name}`
    const revisions = `${repositories}/${repository}/_manifests/revisions/sha256`
    for (const hex of yield* inFolder(revisions)) {
      const info = yield* Effect.option(files.stat(`${revisions}/${hex}/link`))
      const pushed = Option.flatMap(info, ({ mtime }) => mtime)
      const revision = Option.map(pushed, (time) => ({
        repository,
        digest: `sha256:${hex}`,
        pushedTime: time.toISOString()
      }))
      found.push(...Option.toArray(revision))
    }
  }
  return found
})

/** Looks once; how many were taken out. */
export const removeUnused = Effect.fn("removeUnused")(function* (storage: Pick<Storage, "document">) {
  const { distribution, storage: root } = yield* settings
  const client = yield* HttpClient.HttpClient
  const there = yield* revisionsIn(root)
  const superfluous = unused(there, yield* namedIn(storage, there), yield* currentTime)
  for (const { digest, repository } of superfluous) {
    const url = new URL(`/v2/${repository}/manifests/${digest}`, distribution)
    const { status, text } = yield* client.execute(HttpClientRequest.delete(url))
    // Read, or its connection would not be free for the next.
    yield* Effect.ignore(text)
    yield* Effect.logInfo(`${repository}@${digest}, which nothing names any more: ${status}`)
  }
  return superfluous.length
})

/** Looks now and then for as long as the server runs. */
export const removal = Layer.effectDiscard(
  Effect.gen(function* () {
    const { storage: root } = yield* settings
    const storage = yield* makeStorage(root, yield* makeBuffers(1))
    yield* removeUnused(storage).pipe(
      Effect.catch((error) => Effect.logWarning("Unused images could not be removed", error)),
      Effect.schedule(Schedule.spaced(pause)),
      Effect.forkScoped
    )
  })
).pipe(Layer.provide(NodeHttpClient.layerNodeHttp), Layer.provide(NodeServices.layer))
