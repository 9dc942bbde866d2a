/** What is asked about many NixImages at once. */
import { type NixImage, nixImages, wantedNameOf } from "../api/niximage.ts"
import { inNamespace, question } from "../kubernetes/question.ts"

/** All of a namespace. */
export const imagesIn = inNamespace(nixImages)

/** Those of all namespaces that want a name and tag. */
export const imagesNamed = question<NixImage, Pick<NixImage, "data" | "metadata">>({
  kind: nixImages,
  keysOf: (image) => [wantedNameOf(image)],
  keyFor: wantedNameOf,
  selectorFor: ({ data }) => ({ fields: [`data.tag=${data.tag}`] })
})

/** Those of all namespaces that have a tag. */
export const imagesTagged = question({
  kind: nixImages,
  keysOf: ({ data }) => [data.tag],
  keyFor: (tag: string) => tag,
  selectorFor: (tag) => ({ fields: [`data.tag=${tag}`] })
})
