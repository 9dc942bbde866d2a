/** What an image fails with that may not, or cannot, come onto a node. */
import { Failure } from "./result.ts"

/** The package is no image, or a broken one. */
export const notAnImage = (message: string): Failure => new Failure({ reason: "NotAnImage", message, log: "" })

/** The image is one, but holds what we let onto no node. */
export const forbiddenContent = (message: string): Failure =>
  new Failure({ reason: "ForbiddenContent", message, log: "" })

/** The image would take more of the node than one image may. */
export const imageTooLarge = (message: string): Failure => new Failure({ reason: "ImageTooLarge", message, log: "" })
