/**
 * Takes out of records and recordings what must not be in an issue: the values
 * of Secrets and of environment variables, tokens and passwords in texts, and
 * what others wrote into annotations. What is taken out shows as "…".
 */
import { isOfInterest } from "../kubernetes/kind.ts"

const mask = "…"

// URLs and the end of a build's log can hold anything.
const secrets: ReadonlyArray<readonly [RegExp, string]> = [
  [/:\/\/[^/\s@"']+@/g, `://${mask}@`],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${mask}`],
  [/((?:token|passw(?:or)?d|secret|api[-_]?key|access[-_]?key)["']?\s*[=:]\s*["']?)[^\s&"',;]+/gi, `$1${mask}`],
  // By their shape: tokens of GitHub, GitLab and Slack, keys of AWS, and JSON Web Tokens, which ServiceAccounts have.
  [/\b(gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|eyJ[\w-]+\.eyJ)[\w.-]{16,}/g, `$1${mask}`],
  [/(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(-----END|$)/g, `$1${mask}$2`]
]

/** The text without what looks like a secret in it. */
export const redactText = (text: string): string =>
  secrets.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text)

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null

/** A copy of what JSON can say of `value`, without secrets. */
export const redact = (value: unknown): unknown => {
  if (typeof value === "string") return redactText(value)
  if (Array.isArray(value)) return value.map(redact)
  if (!isFields(value)) return value
  const isSecret = value["kind"] === "Secret"
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => {
      if (field === undefined || dropped.includes(key)) return []
      if (isSecret && (key === "data" || key === "stringData")) return [[key, maskAll(field)]]
      if (key === "env" && Array.isArray(field)) return [[key, field.map(maskVariable)]]
      if (key === "annotations" && isFields(field)) return [[key, redact(ofInterest(field))]]
      return [[key, redact(field)]]
    })
  )
}

// managedFields make every object larger, and bytes are unreadable.
const dropped = ["managedFields", "data_base64"]

const maskAll = (field: unknown): unknown =>
  isFields(field) && !Array.isArray(field) ? Object.fromEntries(Object.keys(field).map((key) => [key, mask])) : mask

const maskVariable = (variable: unknown): unknown =>
  isFields(variable) && variable["value"] !== undefined ? { ...variable, value: mask } : variable

const ofInterest = (annotations: Fields): Fields =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => isOfInterest(key)))
