/**
 * Which platforms containerd takes for which node, so that an image which it
 * would pass over is refused while it is built.
 * Rules: github.com/containerd/platforms, `Normalize` and `Only`.
 */
import type { Platform } from "./documents.ts"

const names: Readonly<Record<string, string>> = {
  i386: "386",
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
  armel: "arm"
}

// What says nothing: each node has it.
const usualVariants: Readonly<Record<string, ReadonlyArray<string>>> = { amd64: ["v1"], arm64: ["8", "v8", "v8.0"] }

type Named = Omit<Platform, "os.features">

/** The platform as containerd calls it: what is not said is Linux's. */
export const normalize = ({ architecture, os, variant }: Named): Named => {
  const given = architecture.toLowerCase()
  const name = names[given] ?? given
  return {
    os: os === "" ? "linux" : os.toLowerCase(),
    architecture: name,
    variant: variantOf(given, variant.toLowerCase())
  }
}

const variantOf = (given: string, variant: string): string => {
  if (given === "i386") return ""
  if (given === "armhf") return "v7"
  if (given === "armel") return "v6"
  const name = names[given] ?? given
  if (name === "arm") return variant === "" ? "v7" : variant.replace(/^(?=[5-8]$)/u, "v")
  return (usualVariants[name] ?? []).includes(variant) ? "" : variant
}

// A node for arm says v7 and runs what older ones ran. An amd64 node would also take 386, and an arm64 node arm, but
// that is not what the package's system promised.
const armVariants = ["v7", "v6", "v5"]

/** How well the platform fits to Linux on this architecture: 0 is best, undefined not at all. */
export const rankOf = (platform: Platform, wanted: string): number | undefined => {
  const { architecture, os, variant } = normalize(platform)
  if (os !== "linux" || architecture !== wanted || platform["os.features"].length > 0) return undefined
  const rank = architecture === "arm" ? armVariants.indexOf(variant) : variant === "" ? 0 : -1
  return rank < 0 ? undefined : rank
}

/** As `linux/arm/v6`. */
export const formatPlatform = (platform: Named): string => {
  const { architecture, os, variant } = normalize(platform)
  return [
    os,
    architecture === "" ? "an unnamed architecture" : architecture,
    ...(variant === "" ? [] : [variant])
  ].join("/")
}
