/**
 * What the registry protocol serves: tags as the NixImages of a watch cache
 * have them, so that no answer waits for the API server, and what they lead to
 * from the storage.
 */
import { Effect, Option } from "effect"
import { nixImages, type NixImage } from "../../lib/api/niximage.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { all, type Question } from "../../lib/kubernetes/question.ts"
import type { Client, ContentStore, Manifest, Named } from "../../lib/oci/content-store.ts"
import {
  accepts,
  blobUnknown,
  DistributionError,
  isDigest,
  manifestUnknown,
  nameUnknown,
  unavailable,
  unobtainable
} from "../../lib/oci/distribution.ts"
import { type Document, manifestFor, merge } from "./documents.ts"
import { about, imageNamed, isIn, namesOf } from "./names.ts"
import { digestsOf, formerDigestsOf, type State, stateOf } from "./state.ts"
import type { Storage } from "./storage.ts"

export interface Options {
  /** From a cache. */
  readonly list: (question: Question<NixImage>) => Effect.Effect<ReadonlyArray<NixImage>, KubernetesError>
  /** Whether the cache has seen all NixImages. */
  readonly isComplete: Effect.Effect<boolean>
  /** Taken before something is looked up, it is over once that may have changed. */
  readonly nextChange: Effect.Effect<Effect.Effect<void>>
  readonly storage: Storage
  readonly hasCatalog: boolean
  /** How long a client waits at most for what is being built. */
  readonly waitSeconds: number
}

export const makeStore = (options: Options): ContentStore["Service"] => {
  const { isComplete, storage } = options

  const list = Effect.fnUntraced(function* (question: Question<NixImage>) {
    if (!(yield* isComplete))
      return yield* unavailable("The registry has just started and does not know its images yet.")
    return yield* Effect.mapError(options.list(question), ({ message }) => unavailable(message))
  })

  const stateNamed = Effect.fnUntraced(function* ({ name, reference: tag }: Named) {
    const images = yield* list(about(name))
    const image = imageNamed(images, { repository: name, tag })
    if (image !== undefined) return stateOf(image)
    return yield* images.some((one) => isIn(one, name)) ? manifestUnknown(tag) : nameUnknown(name)
  })

  const settledState = (of: Named): Effect.Effect<State, DistributionError> =>
    Effect.flatMap(options.nextChange, (change) =>
      Effect.flatMap(stateNamed(of), (state) =>
        state._tag === "Pending" ? Effect.andThen(change, settledState(of)) : Effect.succeed(state)
      )
    )

  const patiently = (of: Named) =>
    Effect.timeoutOrElse(settledState(of), { duration: options.waitSeconds * 1000, orElse: () => stateNamed(of) })

  const byTag = Effect.fnUntraced(function* (of: Named, { accept, userAgent }: Client) {
    const state = yield* options.waitSeconds > 0 && mayWait(userAgent) ? patiently(of) : stateNamed(of)
    if (state._tag === "Failed") return yield* unobtainable(state.message)
    if (state._tag === "Pending") return yield* unavailable(state.message)
    const index = together(yield* Effect.forEach(state.digests, storage.document))
    if (accepts(accept, index.mediaType)) return index
    const manifest = manifestFor(index)
    if (manifest === undefined || !accepts(accept, manifest.mediaType)) return yield* notAccepted(index)
    return yield* storage.document(manifest.digest)
  })

  /** What a NixImage is made of, by digest. */
  const partOf = Effect.fnUntraced(function* (image: NixImage, digest: string) {
    const roots = yield* Effect.forEach(digestsOf(image), storage.document)
    const former = yield* Effect.forEach(formerDigestsOf(image), (one) => Effect.option(storage.document(one)))
    const indexes = [...roots, ...(roots.length > 1 ? [merge(roots)] : []), ...former.flatMap(Option.toArray)]
    const index = indexes.find((one) => one.digest === digest)
    if (index !== undefined) return { document: index }
    const manifests = new Set(indexes.flatMap((one) => one.manifests.map((manifest) => manifest.digest)))
    if (manifests.has(digest)) return { document: yield* storage.document(digest) }
    for (const manifest of manifests) {
      const { blobs } = yield* storage.document(manifest)
      const blob = blobs.find((one) => one.digest === digest)
      if (blob !== undefined) return { blob }
    }
    return undefined
  })

  const byDigest = Effect.fnUntraced(function* ({ name, reference: digest }: Named) {
    const images = (yield* list(about(name))).filter((image) => isIn(image, name))
    if (images.length === 0) return yield* nameUnknown(name)
    // Of what can't be read nobody knows that it does not have it.
    let failure: DistributionError | undefined
    for (const image of images) {
      const part = yield* Effect.catch(partOf(image, digest), (error) => Effect.succeed(error))
      if (part instanceof DistributionError) failure = part
      else if (part !== undefined) return part
    }
    return failure === undefined ? undefined : yield* failure
  })

  const hasTag = (images: ReadonlyArray<NixImage>, name: { readonly repository: string; readonly tag: string }) => {
    const image = imageNamed(images, name)
    return image !== undefined && stateOf(image)._tag === "Built"
  }

  return {
    manifest: Effect.fnUntraced(function* (of, client) {
      if (!isDigest(of.reference)) return manifestOf(yield* byTag(of, client))
      const part = yield* byDigest(of)
      return part?.document === undefined ? yield* manifestUnknown(of.reference) : manifestOf(part.document)
    }),
    blob: Effect.fnUntraced(function* (of) {
      const part = yield* byDigest(of)
      if (part === undefined) return yield* blobUnknown(of.reference)
      return part.document === undefined ? yield* storage.blob(part.blob) : manifestOf(part.document)
    }),
    tags: Effect.fnUntraced(function* (repository) {
      const images = yield* list(about(repository))
      const tags = images.flatMap(namesOf).flatMap((name) => (name.repository === repository ? [name.tag] : []))
      if (tags.length === 0) return yield* nameUnknown(repository)
      return [...new Set(tags)].filter((tag) => hasTag(images, { repository, tag }))
    }),
    ...(options.hasCatalog
      ? {
          catalog: Effect.map(list(all(nixImages)), (images) => {
            const built = images.filter((image) => stateOf(image)._tag === "Built")
            return [...new Set(built.flatMap(namesOf).map(({ repository }) => repository))]
          })
        }
      : {})
  }
}

// kubelet pulls one image at a time: one that is held back holds up all other Pods of its node.
const mayWait = (userAgent: string | undefined): boolean => !/^$|containerd/iu.test(userAgent ?? "")

const together = (indexes: ReadonlyArray<Document>): Document => {
  const [index, ...more] = indexes
  return index === undefined || more.length > 0 ? merge(indexes) : index
}

const manifestOf = ({ bytes, digest, mediaType }: Document): Manifest => ({
  digest,
  mediaType,
  size: bytes.length,
  bytes
})

const notAccepted = ({ mediaType }: Document) =>
  new DistributionError({
    status: 404,
    code: "MANIFEST_UNKNOWN",
    message: `It is of type ${mediaType}, which the header Accept does not name.`
  })
