/** What a NixImage's image is made of. */
import type { ImageRequest } from "../api/image-request.ts"
import type { NixImage } from "../api/niximage.ts"

/** In one form: neither order nor repetition make another image. */
export const requestOf = ({ data }: Pick<NixImage, "data">): ImageRequest => {
  const { allowUnfree, config = {}, contents, ignoreCase, maxLayers, omit = [] } = data
  return {
    contents: [...new Set(contents)].toSorted(),
    // An empty one says no more than none.
    ...(Object.keys(config).length === 0 ? {} : { config }),
    ...(maxLayers === undefined ? {} : { maxLayers }),
    ...(omit.length === 0 ? {} : { omit: omit.toSorted() }),
    ...(ignoreCase === true ? { ignoreCase } : {}),
    ...(allowUnfree === true ? { allowUnfree } : {})
  }
}
