/** What the registry chooses: which NixImage a name is, how far one is, and what documents lead to. */
import { assert, describe, it } from "@effect/vitest"
import { digestOf, mediaTypes } from "../../lib/oci/image.ts"
import { accepts } from "../../lib/oci/distribution.ts"
import { manifestFor, merge, readDocument } from "../../functions/image-registry/documents.ts"
import { imageNamed, namesOf } from "../../functions/image-registry/names.ts"
import { digestsOf, stateOf } from "../../functions/image-registry/state.ts"
import type { NixImage } from "../../lib/api/niximage.ts"
import { built, nixImage, stalled } from "./world.ts"

const at = (second: number) => ({ creationTimestamp: `2026-11-30T10:00:0${second}Z` })

describe("a name", () => {
  const x = { repository: "x", tag: "v1" }
  const holding = { holds: "x:v1" }
  const rows: Record<string, readonly [images: ReadonlyArray<NixImage>, name: typeof x, whose: string | undefined]> = {
    "is of nobody": [[nixImage({ name: "y" })], x, undefined],
    "is of who holds it, also if another asked first": [
      [
        nixImage({ name: "x", namespace: "early", metadata: at(1) }),
        nixImage({ name: "x", namespace: "late", metadata: at(2), status: holding })
      ],
      x,
      "late"
    ],
    "is of nobody when who asks does not hold it": [[nixImage({ name: "x", namespace: "team" })], x, undefined],
    "is of who asks for it, until somebody has said whose it is": [
      [nixImage({ name: "x", namespace: "team", status: { observedGeneration: 0 } })],
      x,
      "team"
    ],
    "is of the oldest of those who ask": [
      [
        nixImage({ name: "x", namespace: "b", metadata: at(2), status: { observedGeneration: 0 } }),
        nixImage({ name: "x", namespace: "a", metadata: at(1), status: { observedGeneration: 0 } })
      ],
      x,
      "a"
    ],
    "with a namespace in front is that namespace's, whoever else is called so": [
      [
        nixImage({ name: "other", namespace: "evil", data: { name: "apps/x" }, status: { holds: "apps/x:v1" } }),
        nixImage({ name: "x", namespace: "apps" })
      ],
      { repository: "apps/x", tag: "v1" },
      "apps"
    ],
    "that looks like a namespace's is of who holds it, if that namespace has none": [
      [nixImage({ name: "other", namespace: "team", data: { name: "apps/x" }, status: { holds: "apps/x:v1" } })],
      { repository: "apps/x", tag: "v1" },
      "team"
    ],
    "is not of one that held another": [
      [nixImage({ name: "x", namespace: "team", data: { tag: "v2" }, status: holding })],
      x,
      undefined
    ],
    "is not of one that is being deleted": [
      [nixImage({ name: "x", status: holding, metadata: { deletionTimestamp: "2026-11-30T11:00:00Z" } })],
      x,
      undefined
    ],
    "with another tag is another": [[nixImage({ name: "x", status: holding })], { ...x, tag: "v2" }, undefined]
  }
  for (const [what, [images, name, whose]] of Object.entries(rows)) {
    it(what, () => {
      for (const order of [images, images.toReversed()]) {
        assert.strictEqual(imageNamed(order, name)?.metadata.namespace, whose)
      }
    })
  }

  it("of two NixImages of a namespace is the older one's", () => {
    const images = [
      nixImage({ name: "b", data: { name: "x" }, metadata: at(2) }),
      nixImage({ name: "c", data: { name: "x" }, metadata: at(1) }),
      nixImage({ name: "d", data: { name: "x" }, metadata: at(2) })
    ]
    const name = { repository: "apps/x", tag: "v1" }
    assert.strictEqual(imageNamed(images, name)?.metadata.name, "c")
    assert.strictEqual(imageNamed(images.slice(0, 1), name)?.metadata.name, "b")
  })

  it("with a colon in its tag there is none, and slashes are the repository's", () => {
    const image = nixImage({ name: "n", data: { name: "shell/git", tag: "v.1" }, status: { holds: "shell/git:v.1" } })
    assert.deepStrictEqual(namesOf(image), [
      { repository: "apps/shell/git", tag: "v.1" },
      { repository: "shell/git", tag: "v.1" }
    ])
  })

  it("of an object without times and generations, as only a test has it, is found", () => {
    const bare: NixImage = {
      metadata: { name: "x", uid: "1", resourceVersion: "1" },
      data: { tag: "v1", contents: ["jq"] }
    }
    assert.strictEqual(imageNamed([bare, bare], { repository: "undefined/x", tag: "v1" }), bare)
    assert.deepStrictEqual(digestsOf(bare), [])
    const made = { ...bare, metadata: { ...bare.metadata, namespace: "apps", generation: 1 } }
    assert.strictEqual(imageNamed([made], { repository: "x", tag: "v1" }), made)
    assert.strictEqual(stateOf(bare)._tag, "Pending")
  })
})

describe("how far it is", () => {
  const one = `sha256:${"1".repeat(64)}`
  const two = `sha256:${"2".repeat(64)}`

  it("with one system of two built: the image is of that one", () => {
    const systems = [
      built(one),
      { system: "aarch64-linux", build: "b", status: "Failed", message: "It does not compile." } as const
    ]
    assert.deepStrictEqual(stateOf(nixImage({ name: "x", status: { conditions: stalled ?? [], systems } })), {
      _tag: "Built",
      digests: [one]
    })
  })

  it("with both built: in the order of the systems, whatever the order in the status", () => {
    const systems = [built(one), built(two, "aarch64-linux")]
    for (const order of [systems, systems.toReversed()]) {
      assert.deepStrictEqual(digestsOf(nixImage({ name: "x", status: { systems: order } })), [two, one])
    }
    const [, same] = [built(one), built(one, "aarch64-linux")]
    assert.deepStrictEqual(digestsOf(nixImage({ name: "x", status: { systems: [built(one), same] } })), [one])
  })

  it("failed for one system while another is being built: how far that is", () => {
    const systems = [
      { system: "aarch64-linux", build: "a", status: "Failed", message: "It does not compile." } as const,
      { system: "x86_64-linux", build: "b", status: "Building", message: "NixBuild apps/b builds" } as const
    ]
    assert.deepStrictEqual(stateOf(nixImage({ name: "x", status: { conditions: stalled ?? [], systems } })), {
      _tag: "Pending",
      message: "Building: NixBuild apps/b builds (kubectl describe niximage -n apps x)"
    })
  })

  it("failed, as the condition says where no failure is written", () => {
    const state = stateOf(nixImage({ name: "x", status: { conditions: stalled ?? [] } }))
    assert.deepStrictEqual(state, {
      _tag: "Failed",
      message: "Failed: The package set has no jqq. (kubectl describe niximage -n apps x)"
    })
  })
})

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const descriptor = (digit: string, platform?: Record<string, string>) => ({
  mediaType: mediaTypes.manifest,
  digest: `sha256:${digit.repeat(64)}`,
  size: 1,
  ...(platform === undefined ? {} : { platform })
})
const read = (value: unknown) => {
  const bytes = bytesOf(value)
  return readDocument(digestOf(bytes), bytes)
}
const indexOf = (...manifests: ReadonlyArray<object>) =>
  read({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }) ?? assert.fail("it is an index")

describe("a document", () => {
  const wrong: Record<string, unknown> = {
    "that is no object": [],
    "without a media type": { schemaVersion: 2, manifests: [] },
    "of another media type": { mediaType: "application/json", manifests: [] },
    "that is a manifest by its media type and an index by its fields": {
      mediaType: mediaTypes.manifest,
      manifests: []
    },
    "with a digest that is a path": {
      mediaType: mediaTypes.index,
      manifests: [{ ...descriptor("1"), digest: "sha256:../../../etc/passwd" }]
    },
    "with a negative size": { mediaType: mediaTypes.index, manifests: [{ ...descriptor("1"), size: -1 }] },
    "without layers": { mediaType: mediaTypes.manifest, config: descriptor("1") }
  }
  for (const [what, value] of Object.entries(wrong)) {
    it(`${what} is none`, () => assert.isUndefined(read(value)))
  }

  it("under another digest than its own is none", () => {
    assert.isUndefined(
      readDocument(`sha256:${"0".repeat(64)}`, bytesOf({ mediaType: mediaTypes.index, manifests: [] }))
    )
  })

  it("of Docker's types is read too", () => {
    const manifest = read({
      mediaType: "application/vnd.docker.distribution.manifest.v2+json",
      config: descriptor("1"),
      layers: [descriptor("2")]
    })
    assert.deepStrictEqual(
      manifest?.blobs.map(({ digest }) => digest.at(-1)),
      ["1", "2"]
    )
  })

  it("of several systems has the same bytes each time, and each manifest once", () => {
    const [one, two] = [indexOf(descriptor("1")), indexOf(descriptor("2"), descriptor("1"))]
    const merged = merge([one, two])
    assert.deepStrictEqual(merged, merge([one, two]))
    assert.deepStrictEqual(
      merged.manifests.map(({ digest }) => digest.at(-1)),
      ["1", "2"]
    )
    assert.deepStrictEqual(readDocument(merged.digest, merged.bytes)?.manifests, merged.manifests)
  })

  it("for a client that reads no index is the only one, or that of linux and amd64, or none", () => {
    const arm64 = descriptor("1", { os: "linux", architecture: "arm64" })
    const amd64 = descriptor("2", { os: "linux", architecture: "amd64" })
    const windows = descriptor("3", { os: "windows", architecture: "amd64" })
    assert.deepStrictEqual(manifestFor(indexOf(arm64)), arm64)
    assert.deepStrictEqual(manifestFor(indexOf(windows, arm64, amd64)), amd64)
    assert.isUndefined(manifestFor(indexOf(windows, arm64, descriptor("4"))))
  })
})

describe("the header Accept", () => {
  const rows: ReadonlyArray<readonly [accept: string | undefined, isAccepted: boolean]> = [
    [undefined, true],
    ["*/*", true],
    ["application/*", true],
    [mediaTypes.index, true],
    [`${mediaTypes.manifest}, ${mediaTypes.index};q=0.5`, true],
    [mediaTypes.index.toUpperCase(), true],
    [mediaTypes.manifest, false],
    ["text/*", false]
  ]
  for (const [accept, isAccepted] of rows) {
    it(`${accept} ${isAccepted ? "takes" : "does not take"} an index`, () =>
      assert.strictEqual(accepts(accept, mediaTypes.index), isAccepted))
  }
})
