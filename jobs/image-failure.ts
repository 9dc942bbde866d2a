/** What is wrong with an image, or with the layout that a build left, as a Job's failure. */
import { ImageError } from "../lib/oci/image-error.ts"
import { Failure } from "../lib/nixbuild/job-result.ts"

/** Of what cannot be brought on as it is, though the image may be right. */
type Fallback = "ImportFailed" | "PublishFailed"

/** The author of a package reads it. */
export const imageFailure = ({ code, message }: ImageError, fallback: Fallback = "ImportFailed"): Failure =>
  new Failure({ reason: code === "DigestMismatch" ? fallback : code, message: message + advice(code), log: "" })

const advice = (code: ImageError["code"]): string =>
  code === "WrongArchitecture" ? " Set spec.system to what the package builds, or fix the package." : ""

export const importFailed = (message: string): Failure => new Failure({ reason: "ImportFailed", message, log: "" })

/** Whatever kept a layout from being read and brought on. */
export const layoutFailure = (error: Error, fallback: Fallback = "ImportFailed"): Failure => {
  if (error instanceof Failure) return error
  if (error instanceof ImageError) return imageFailure(error, fallback)
  const message = `The build's result cannot be read (${error.message}): retry the build.`
  return new Failure({ reason: fallback, message, log: "" })
}
