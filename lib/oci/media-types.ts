/**
 * What containerd takes a media type for: OCI's and Docker's mean the same.
 * Rules: containerd, core/images/mediatypes.go and core/diff/stream.go.
 */
const docker = "application/vnd.docker."
const oci = "application/vnd.oci.image."

export const isIndex = (mediaType: string) =>
  mediaType === `${oci}index.v1+json` || mediaType === `${docker}distribution.manifest.list.v2+json`

export const isManifest = (mediaType: string) =>
  mediaType === `${oci}manifest.v1+json` || mediaType === `${docker}distribution.manifest.v2+json`

export const isConfig = (mediaType: string) =>
  mediaType === `${oci}config.v1+json` || mediaType === `${docker}container.image.v1+json`

// Foreign and non-distributable ones only say that no registry should hold them.
const dockerLayers = ["diff.tar", "diff.tar.gzip", "diff.tar.zstd", "foreign.diff.tar", "foreign.diff.tar.gzip"].map(
  (name) => `${docker}image.rootfs.${name}`
)
const ociLayers = [`${oci}layer.v1.tar`, `${oci}layer.nondistributable.v1.tar`]
const erofs = "application/vnd.erofs.layer.v1"

const split = (mediaType: string) => {
  const [base = "", ...suffixes] = mediaType.split("+")
  return { base, suffixes: suffixes.toSorted() }
}

/** Whether containerd counts it among the layers that the configuration's diff ids are for. */
export const isLayer = (mediaType: string): boolean => {
  const { base } = split(mediaType)
  return mediaType.startsWith(`${oci}layer.`) || dockerLayers.includes(base) || base === erofs
}

/** Whether a layer is read as it is, or unpacked by what its first bytes tell; unknown if nothing reads it. */
export const packingOf = (mediaType: string): "plain" | "by its bytes" | "unknown" => {
  const { base, suffixes } = split(mediaType)
  if (dockerLayers.includes(base)) return suffixes.length === 0 ? "by its bytes" : "plain"
  if (!ociLayers.includes(base)) return "unknown"
  return /^(?:gzip|zstd)$/u.test(suffixes.at(-1) ?? "") ? "by its bytes" : "plain"
}
