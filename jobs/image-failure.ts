/** What is wrong with an image, or with the layout that a build left, as a Job's failure. */
import { ImageError } from "../lib/oci/image-error.ts"
import { Failure } from "../lib/nixbuild/job-result.ts"

/** The author of a package reads it. */
export const imageFailure = ({ code, message }: ImageError): Failure =>
  new Failure({ reason: code === "DigestMismatch" ? "ImportFailed" : code, message: message + advice(code), log: "" })

const advice = (code: ImageError["code"]): string =>
  code === "WrongArchitecture" ? " Set spec.system to what the package builds, or fix the package." : ""

export const importFailed = (message: string): Failure => new Failure({ reason: "ImportFailed", message, log: "" })

/** Whatever kept a layout from being read and served. */
export const layoutFailure = (error: Error): Failure => {
  if (error instanceof Failure) return error
  return error instanceof ImageError
    ? imageFailure(error)
    : importFailed(`The build's result cannot be read (${error.message}): retry the build.`)
}
