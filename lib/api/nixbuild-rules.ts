/**
 * What the API server refuses in a NixBuild, in CEL, so that the mistake shows
 * at `kubectl apply`, with the field's path and what to write instead.
 */

export interface Rule {
  readonly rule: string
  readonly message: string
  /** Of what it is said, where that is not where the rule stands. */
  readonly fieldPath?: string
}

/** A rule that we can apply too: its expressions mean the same in RE2 and in JavaScript. */
interface Format extends Rule {
  readonly holds: (text: string) => boolean
}

const quote = (expression: string): string => JSON.stringify(expression)
const matcher = (expression: string) => {
  const pattern = new RegExp(expression, "u")
  return (text: string): boolean => pattern.test(text)
}
export const must = (expression: string, message: string): Format => ({
  rule: `self.matches(${quote(expression)})`,
  message,
  holds: matcher(expression)
})
const mustNot = (expression: string, message: string): Format => {
  const matches = matcher(expression)
  return { rule: `!self.matches(${quote(expression)})`, message, holds: (text) => !matches(text) }
}
const when = (condition: string, expression: string, message: string): Format => {
  const [applies, matches] = [matcher(condition), matcher(expression)]
  return {
    rule: `!self.matches(${quote(condition)}) || self.matches(${quote(expression)})`,
    message,
    holds: (text) => !applies(text) || matches(text)
  }
}

/** Only what the API server is to know of the rules. */
export const rulesOf = (formats: ReadonlyArray<Rule>): ReadonlyArray<Rule> =>
  formats.map(({ message, rule }) => ({ rule, message }))

export const immutable: Rule = {
  rule: "self == oldSelf",
  message: "is immutable: it would no longer describe what was built; create another NixBuild instead"
}

export const flakeUrlRules: ReadonlyArray<Format> = [
  must("^[!-~]+$", "must be printable ASCII without spaces; write other characters percent-encoded"),
  must(
    "^(github:|gitlab:|sourcehut:|(git\\+https|git\\+ssh|git\\+http|https|http|tarball\\+https|tarball\\+http)://)",
    "must start with github:, gitlab:, sourcehut:, git+https://, git+ssh://, https:// or tarball+https://; paths, file: and names from the flake registry would mean something different on every node"
  ),
  when(
    "^(github|gitlab|sourcehut):",
    "^[a-z]+:[A-Za-z0-9~_][A-Za-z0-9._%~-]*/[A-Za-z0-9_.-]+(/[A-Za-z0-9_./%+-]+)?(\\?[^?]*)?$",
    "must be <forge>:<owner>/<repository>, then optionally /<branch, tag or revision> and ?parameters"
  ),
  when(
    "://",
    "^[a-z+]+://([A-Za-z0-9._~-]+@)?([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?(/[^?]*)?(\\?[^?]*)?$",
    "must have a host after ://, and at most one ?; credentials do not belong in URLs"
  ),
  mustNot(
    "^[a-z+]*https?://[^/?]*@",
    "must not contain a user name or token: everyone who may read the object would see it"
  ),
  mustNot("(?i:[/.@]xn--)", "must not use a punycode host name: it can look like another one"),
  mustNot("#", "must not contain a fragment: the package goes into spec.packageName"),
  mustNot("(?i:([/=?&:]|%2f)(\\.|%2e){2}([/?&]|%2f|$))", "must not contain .. in a path or in dir="),
  when(
    "[?&]rev=",
    "^[^?]*\\?([^&]*&)*rev=([0-9a-f]{40}|[0-9a-f]{64})(&.*)?$",
    "rev= must be a full revision: 40 or 64 hex digits, in lower case"
  ),
  mustNot("[?&]rev=.*[?&]rev=", "rev= may be given only once")
]

const name = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
const label = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"

export const imageTagRules: ReadonlyArray<Rule> = [
  must(
    `^(${label}(\\.${label})*(:[0-9]{1,5})?/)?${name}(/${name})*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`,
    "must be [registry/]repository:tag, the repository in lower case, the tag of at most 128 letters, digits, _ . and -; a digest (@sha256:) is not known before the build"
  ),
  mustNot(
    "^((index\\.)?docker\\.io/)?(library/)?[^/]+$",
    "must not be a name of docker.io/library, which every cluster knows as Docker's own images: put a registry and a path in front"
  ),
  mustNot("^(registry\\.k8s\\.io|k8s\\.gcr\\.io)/", "must not be a name of Kubernetes' own images"),
  mustNot("(^|[/-])pause:", "must not be called pause: every Pod needs the image of that name"),
  { rule: "self.lastIndexOf(':') <= 255", message: "the name before the tag must have at most 255 characters" }
]

export const packageNameRules: ReadonlyArray<Format> = [
  must(
    "^[A-Za-z0-9_][A-Za-z0-9_'-]*(\\.[A-Za-z0-9_][A-Za-z0-9_'-]*)*(\\^.*)?$",
    "must be an attribute path: names of letters, digits, _ ' and -, joined by single dots"
  ),
  when(
    "\\^",
    "^[^^]*\\^[A-Za-z0-9_][A-Za-z0-9_.+-]*$",
    "must have exactly one output behind ^, as in app^image: an image is one file, so ^* and lists are not possible"
  )
]

/** Of the whole spec: it is one of the two, and stays what it is. */
export const formRules: ReadonlyArray<Rule> = [
  {
    rule: "has(self.packageName) != has(self.image)",
    message: "must have either packageName (a package that is an image) or image (packages to make one of)"
  },
  {
    rule: "has(self.packageName) == has(oldSelf.packageName)",
    message: "packageName and image are immutable: create another NixBuild instead"
  },
  {
    rule: "(has(self.delivery) && self.delivery == 'Registry') || !self.imageTag.matches('^(127[.]0[.]0[.]1|localhost):5080/')",
    message: "must not be a name of the cluster's image registry: what is under such a name a NixImage says",
    fieldPath: ".imageTag"
  },
  {
    rule: "!has(self.delivery) || self.delivery != 'Registry' || !has(self.nodes) || size(self.nodes) == 0",
    message: "nodes must be empty with delivery Registry: nodes pull the image from there"
  }
]
