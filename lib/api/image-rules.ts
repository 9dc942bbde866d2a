/** What the API server refuses in a request for an image of packages, in CEL. */
import { must } from "./nixbuild-rules.ts"

const attribute = "([A-Za-z0-9_][A-Za-z0-9_'+-]*|\"[A-Za-z0-9_@][A-Za-z0-9_.@/'+ -]*\")"

export const attributeRules = [
  must(
    `^${attribute}(\\.${attribute})*$`,
    "must be an attribute path: names of letters, digits, _, ', + and -, joined by single dots; a name with other characters is written in double quotes"
  )
]

/** The OCI Distribution Specification's form of a repository. */
const repositoryPattern = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*"

export const repositoryRules = [
  must(
    `^${repositoryPattern}$`,
    "must be a repository's name: lower-case letters, digits and single . _ - between them, the parts joined by single slashes"
  )
]

/** The same specification's form of a tag. Nix splices it into a shell script. */
export const tagRules = [
  must(
    "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$",
    "must be a tag: at most 128 letters, digits, _ . and -, the first neither . nor -"
  )
]

export const environmentRules = [must("^[^=]+=", "must be NAME=value")]
