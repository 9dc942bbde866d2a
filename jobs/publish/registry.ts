/**
 * The writing half of the registry protocol, as far as it takes to push one
 * image: what is there, a blob in one piece, a manifest by its digest.
 * Protocol: OCI distribution-spec 1.1, "Push".
 *
 * No library or tool, although skopeo and crane do the same: they read a layout
 * themselves, and follow links that a build may have put there, which our own
 * code refuses. That would be 30 MB in the image for five requests.
 *
 * Only the path of an upload's Location counts, so that the token goes to no
 * other host, whatever name a registry behind a proxy has for itself.
 */
import { Context, Effect, FileSystem, Option, Schedule, Schema, type Stream } from "effect"
import { HttpClient, type HttpClientError, HttpClientRequest, type HttpClientResponse } from "effect/http"

/** What the registry refused, or that it gave no answer. */
export class RegistryError extends Schema.TaggedError<RegistryError>()("RegistryError", {
  /** 0: no answer. */
  status: Schema.Int,
  /** What was asked for, as "layer sha256:…". */
  what: Schema.String,
  /** In the registry's words, or in those of the network. */
  said: Schema.String,
  /** The registry does not know the upload that it began itself. */
  isUploadLost: Schema.Boolean
}) {
  override get message() {
    return `${this.what}: ${this.status} ${this.said}`
  }

  get mayPass() {
    return this.isUploadLost || this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500
  }
}

/** How often what may pass is tried again, and how long the first wait is; each next one is twice as long. */
export const Retries = Context.Reference("enbi/jobs/publish/Retries", {
  // A registry that is started anew is there again by then.
  defaultValue: () => ({ times: 4, firstMillis: 1000 })
})

export interface Registry {
  readonly url: string
  readonly repository: string
  /** Read for each request: kubelet renews it, and one upload may take longer than a token holds. */
  readonly tokenFile: string
}

/** A blob or a manifest, and what a person calls it. */
export interface Described {
  readonly name: string
  readonly digest: string
  readonly size: number
}

export interface Document extends Described {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** Pushes to one repository. */
export const makeRegistry = Effect.fnUntraced(function* ({ repository, tokenFile, url }: Registry) {
  const client = yield* HttpClient.HttpClient
  const fs = yield* FileSystem.FileSystem
  const retries = yield* Retries
  const root = `/v2/${repository}`

  const send = Effect.fnUntraced(function* (what: string, path: string, ask: Ask) {
    const token = (yield* fs.readFileString(tokenFile)).trim()
    const request = ask(`${url}${path}`).pipe(HttpClientRequest.bearerToken(token))
    return yield* client.execute(request).pipe(
      // Read to its end, or its connection would not be free for the next.
      Effect.tap((response) => Effect.ignore(response.text)),
      Effect.mapError((error) => notAnswered(what, error))
    )
  })

  /** Fails unless it answers with this status. */
  const expect = Effect.fnUntraced(function* (status: number, what: string, path: string, ask: Ask) {
    const response = yield* send(what, path, ask)
    if (response.status !== status) return yield* yield* refused(what, response)
    return response
  })

  const has = Effect.fnUntraced(function* ({ digest, name }: Described, mediaType?: string) {
    const path = `${root}/${mediaType === undefined ? "blobs" : "manifests"}/${digest}`
    const head: Ask = (at) =>
      // Distribution hides a manifest from whoever does not say that he takes this type of it.
      HttpClientRequest.head(at, mediaType === undefined ? {} : { headers: { accept: mediaType } })
    const response = yield* bounded(name, send(name, path, head))
    if (response.status === 404) return false
    return response.status === 200 ? true : yield* yield* refused(name, response)
  })

  const upload = Effect.fnUntraced(function* <E>(blob: Described, bytes: Stream.Stream<Uint8Array, E>) {
    const begun = yield* bounded(blob.name, expect(202, blob.name, `${root}/blobs/uploads/`, HttpClientRequest.post))
    const location = URL.parse(begun.headers["location"] ?? "", url)
    if (location === null) return yield* noLocation(blob.name)
    const query = [...(location.search === "" ? [] : [location.search.slice(1)]), `digest=${blob.digest}`].join("&")
    yield* expect(201, blob.name, `${location.pathname}?${query}`, (at) =>
      HttpClientRequest.put(at).pipe(
        HttpClientRequest.bodyStream(bytes, { contentType: "application/octet-stream", contentLength: blob.size })
      )
    )
  })

  const put = ({ bytes, digest, mediaType, name }: Document) =>
    bounded(
      name,
      expect(201, name, `${root}/manifests/${digest}`, (at) =>
        HttpClientRequest.put(at).pipe(HttpClientRequest.bodyUint8Array(bytes, mediaType))
      )
    )

  /** Whether it was missing: what an attempt has brought although its answer was lost is not sent again. */
  const bring = Effect.fnUntraced(function* <A, E, R>(
    isThere: ReturnType<typeof has>,
    sending: Effect.Effect<A, E | RegistryError, R>
  ) {
    let wasMissing = false
    yield* Effect.gen(function* () {
      if (yield* isThere) return
      wasMissing = true
      yield* sending
    }).pipe(
      Effect.retry({
        times: retries.times,
        schedule: Schedule.exponential(retries.firstMillis),
        while: (error) => error instanceof RegistryError && error.mayPass
      })
    )
    return wasMissing
  })

  return {
    /** Opens the blob, for each attempt anew, only if it is missing. */
    bringBlob: <E, E2, R>(blob: Described, open: Effect.Effect<Stream.Stream<Uint8Array, E>, E2, R>) =>
      bring(
        has(blob),
        Effect.flatMap(open, (bytes) => upload(blob, bytes))
      ),
    bringManifest: (manifest: Document) => bring(has(manifest, manifest.mediaType), put(manifest))
  }
})

type Ask = (url: string) => HttpClientRequest.HttpClientRequest

// All but the bytes of a blob, which take as long as they take: a registry that hangs is not waited for.
const bounded = <A, E, R>(what: string, self: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(self, {
    duration: "30 seconds",
    orElse: () => new RegistryError({ status: 0, what, said: "no answer in 30 s", isUploadLost: false })
  })

const noLocation = (what: string) =>
  new RegistryError({ status: 202, what, said: "it does not say where to upload to", isUploadLost: false })

const notAnswered = (what: string, error: HttpClientError.HttpClientError) =>
  new RegistryError({
    status: 0,
    what,
    said: wordsOf("cause" in error.reason ? error.reason.cause : undefined) ?? error.message,
    isUploadLost: false
  })

/** Node names the error of a connection by its code alone, where a host has several addresses. */
const wordsOf = (cause: unknown): string | undefined => {
  if (!(cause instanceof Error)) return undefined
  if (cause.message !== "") return cause.message
  return "code" in cause ? String(cause.code) : undefined
}

const ErrorBody = Schema.fromJsonString(
  Schema.Struct({
    errors: Schema.NonEmptyArray(Schema.Struct({ code: Schema.String, message: Schema.optionalKey(Schema.String) }))
  })
)

const refused = Effect.fnUntraced(function* (what: string, response: HttpClientResponse.HttpClientResponse) {
  const found = yield* response.text.pipe(Effect.flatMap(Schema.decodeEffect(ErrorBody)), Effect.option)
  const first = Option.getOrUndefined(found)?.errors[0]
  const said = first === undefined ? "" : [first.code, first.message ?? ""].join(" ").trim()
  return new RegistryError({
    status: response.status,
    what,
    said: said.slice(0, maxSaid),
    isUploadLost: response.status === 404 && first?.code === "BLOB_UPLOAD_UNKNOWN"
  })
})

// It becomes part of a sentence.
const maxSaid = 200
