/** Who waits for an image that is being built, and for how long (`WAIT_SECONDS`). */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import { makeStore } from "../../functions/image-registry/store.ts"
import type { NixImage } from "../../lib/api/niximage.ts"
import { answers } from "../../lib/kubernetes/question.ts"
import type { Client } from "../../lib/oci/content-store.ts"
import { digestOf, mediaTypes } from "../../lib/oci/image.ts"
import { nixImage, ready, stalled } from "./world.ts"

const document = {
  digest: digestOf(new Uint8Array()),
  mediaType: mediaTypes.index,
  bytes: new Uint8Array(),
  manifests: [],
  blobs: []
}

const building = nixImage({ name: "x", status: { status: "Building", holds: "x:v1", ...ready("nearly") } })
const done = nixImage({
  name: "x",
  status: {
    holds: "x:v1",
    systems: [{ system: "x86_64-linux", build: "b", status: "Built", digest: document.digest }]
  }
})
const failed = nixImage({ name: "x", status: { holds: "x:v1", conditions: stalled ?? [] } })

const makeWorld = (waitSeconds: number) =>
  Effect.gen(function* () {
    const images = yield* Ref.make<ReadonlyArray<NixImage>>([building])
    let next = Deferred.makeUnsafe<void>()
    const store = makeStore({
      list: (question) => Effect.map(Ref.get(images), (all) => all.filter((image) => answers(question, image))),
      isComplete: Effect.succeed(true),
      nextChange: Effect.sync(() => Deferred.await(next)),
      storage: { document: () => Effect.succeed(document), blob: () => Effect.die("no blob is asked for") },
      hasCatalog: false,
      waitSeconds
    })
    const become = Effect.fnUntraced(function* (image: NixImage) {
      yield* Ref.set(images, [image])
      const before = next
      next = Deferred.makeUnsafe<void>()
      yield* Deferred.succeed(before, undefined)
    })
    const pull = (client: Partial<Client>) =>
      store.manifest({ name: "x", reference: "v1" }, { accept: undefined, userAgent: undefined, ...client }).pipe(
        Effect.map(({ digest }) => digest),
        Effect.catchTag("DistributionError", ({ message, status }) => Effect.succeed(`${status} ${message}`)),
        Effect.forkChild({ startImmediately: true })
      )
    return { become, pull }
  })

const isOver = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

const notYet = "503 Building: nearly (kubectl describe niximage -n apps x)"

describe("a client of an image that is being built", () => {
  it.effect("waits, and has it with the change that finishes it", () =>
    Effect.gen(function* () {
      const { become, pull } = yield* makeWorld(20)
      const pulling = yield* pull({ userAgent: "crane/0.20" })
      yield* TestClock.adjust("19 seconds")
      yield* become(nixImage({ name: "x", status: { status: "Building", holds: "x:v1", ...ready("almost") } }))
      yield* TestClock.adjust("500 millis")
      assert.isFalse(isOver(pulling))
      yield* become(done)
      assert.strictEqual(yield* Fiber.join(pulling), document.digest)
    })
  )

  it.effect("hears at once that it failed", () =>
    Effect.gen(function* () {
      const { become, pull } = yield* makeWorld(20)
      const pulling = yield* pull({ userAgent: "skopeo/1.22" })
      assert.isFalse(isOver(pulling))
      yield* become(failed)
      assert.match(yield* Fiber.join(pulling), /^409 Failed: /u)
    })
  )

  it.effect("hears after the time that is set how far it is then", () =>
    Effect.gen(function* () {
      const { become, pull } = yield* makeWorld(20)
      const pulling = yield* pull({ userAgent: "oras/1.3.3" })
      yield* become(nixImage({ name: "x", status: { status: "Building", holds: "x:v1", ...ready("almost") } }))
      yield* TestClock.adjust("20 seconds")
      assert.match(yield* Fiber.join(pulling), /^503 Building: almost /u)
    })
  )

  const impatient: Record<string, readonly [seconds: number, userAgent: string | undefined]> = {
    "is containerd, whose node's next pull would wait with it": [20, "containerd/2.4.2+unknown"],
    "does not say who it is": [20, undefined],
    "is any, where nothing is set": [0, "crane/0.20"]
  }
  for (const [who, [seconds, userAgent]] of Object.entries(impatient)) {
    it.effect(`never waits if it ${who}`, () =>
      Effect.gen(function* () {
        const { pull } = yield* makeWorld(seconds)
        const pulling = yield* pull({ userAgent })
        assert.isTrue(isOver(pulling))
        assert.strictEqual(yield* Fiber.join(pulling), notYet)
      })
    )
  }
})
