/**
 * The lines of a build Job's log that are the builder's own: how it writes them,
 * and how they are recognised among the output of the builds.
 */

interface Count {
  readonly n: number
  readonly of: number
  readonly what: string
}

export const stepLines = {
  fetchingSource: (url: string) => `fetching ${url}`,
  evaluating: (attribute: string, { url }: { readonly url: string }) => `evaluating ${attribute} of ${url}`,
  building: (derivation: string) => `building ${derivation}`,
  fetchingPath: ({ n, of, what }: Count) => `fetching ${n} of ${of}: ${what}`,
  buildingDerivation: ({ n, of, what }: Count) => `${n} of ${of}: ${what}`,
  runningScript: (path: string) => `running ${path}`,
  readingImage: (archive: string) => `reading the image from ${archive}`,
  imageReady: (digest: string) => `image ${digest} is ready to be imported`
}

const patterns: Readonly<Record<keyof typeof stepLines, RegExp>> = {
  fetchingSource: /^fetching \S+$/,
  evaluating: /^evaluating (?:packages|legacyPackages)\./,
  building: /^building \/nix\/store\//,
  fetchingPath: /^fetching \d+ of \d+: /,
  buildingDerivation: /^\d+ of \d+: /,
  runningScript: /^running \/nix\/store\//,
  readingImage: /^reading the image from /,
  imageReady: /^image sha256:/
}

/** Whether a line of the log is one of these. */
export const isStepLine = (line: string): boolean => Object.values(patterns).some((pattern) => pattern.test(line))
