/** What is wrong with an image that may not, or cannot, come onto a node. */
import { Schema } from "effect"

/**
 * | code              | the image                                                |
 * |-------------------|----------------------------------------------------------|
 * | NotAnImage        | is none, or a broken one                                 |
 * | WrongArchitecture | is for another architecture than the one that was wanted |
 * | ForbiddenContent  | is one, but holds what we let onto no node               |
 * | ImageTooLarge     | would take more of a node than one image may             |
 * | DigestMismatch    | has a layer that is not what its digest says             |
 */
export const ImageErrorCode = Schema.Literals([
  "NotAnImage",
  "WrongArchitecture",
  "ForbiddenContent",
  "ImageTooLarge",
  "DigestMismatch"
])

/** The message is a sentence for the image's author. */
export class ImageError extends Schema.TaggedError<ImageError>()("ImageError", {
  code: ImageErrorCode,
  message: Schema.String
}) {}

export const notAnImage = (message: string) => new ImageError({ code: "NotAnImage", message })
export const wrongArchitecture = (message: string) => new ImageError({ code: "WrongArchitecture", message })
export const forbiddenContent = (message: string) => new ImageError({ code: "ForbiddenContent", message })
export const imageTooLarge = (message: string) => new ImageError({ code: "ImageTooLarge", message })
export const digestMismatch = (message: string) => new ImageError({ code: "DigestMismatch", message })
