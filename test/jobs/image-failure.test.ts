/** What a Job says of an image, or of a layout, that it could not use. */
import { assert, it } from "@effect/vitest"
import { imageFailure, layoutFailure } from "../../jobs/image-failure.ts"
import { ImageError, ImageErrorCode } from "../../lib/oci/image-error.ts"
import { LayoutError } from "../../lib/oci/open-layout.ts"

const unreadable = "The build's result cannot be read (It is bad.): retry the build."

const rows: ReadonlyArray<readonly [error: Error, reason: string, message: string]> = [
  ...ImageErrorCode.literals
    .filter((code) => code !== "DigestMismatch" && code !== "WrongArchitecture")
    .map((code) => [new ImageError({ code, message: "It is bad." }), code, "It is bad."] as const),
  [
    new ImageError({ code: "WrongArchitecture", message: "It is for arm." }),
    "WrongArchitecture",
    "It is for arm. Set spec.system to what the package builds, or fix the package."
  ],
  [new ImageError({ code: "DigestMismatch", message: "It is bad." }), "ImportFailed", "It is bad."],
  [new LayoutError({ message: "It is bad." }), "ImportFailed", unreadable],
  [new Error("It is bad."), "ImportFailed", unreadable],
  [imageFailure(new ImageError({ code: "NotAnImage", message: "It is bad." })), "NotAnImage", "It is bad."]
]

for (const [error, reason, message] of rows) {
  it(`${error.name} ${"code" in error ? String(error.code) : ""} is told as ${reason}: ${message}`, () => {
    const failure = layoutFailure(error)
    assert.deepStrictEqual([failure.reason, failure.message, failure.log], [reason, message, ""])
  })
}
