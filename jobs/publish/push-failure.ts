/** What the registry refused, or that it did not answer, as a Job's failure: what happened, and where to look. */
import { variables } from "../../lib/api/settings.ts"
import { publishAccount } from "../../lib/nixbuild/job-contract.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import type { Registry, RegistryError } from "./registry.ts"

/**
 * | the registry | its cause is most likely                        |
 * |--------------|-------------------------------------------------|
 * | answers 401  | the token: account, audience, TokenReview       |
 * | answers 403  | the account, or what the token is good for      |
 * | answers 5xx  | its storage                                     |
 * | else refuses | an image that it cannot take                    |
 * | is silent    | it does not run, or the address is another's    |
 */
export const pushFailure = (at: Pick<Registry, "repository" | "url">, error: RegistryError): Failure =>
  new Failure({ reason: "PublishFailed", message: sentencesOf(at, error), log: "" })

const sentencesOf = ({ repository, url }: Pick<Registry, "repository" | "url">, error: RegistryError): string => {
  const { said, status, what } = error
  const answer = `${status}${said === "" ? "" : ` ${said}`}`
  switch (status) {
    case 0:
      return `The image registry at ${url} gave no answer about ${what} (${said}): check that it runs (${pods}), and the setting ${variables.registryPublishUrl}.`
    case 401:
      return `The image registry does not accept this Job's token (${answer}): check that ServiceAccount ${publishAccount} exists in enbi-system, and that the registry may create TokenReviews (${log}).`
    case 403:
      return `The image registry does not let this Job push to ${repository} (${answer}): only ServiceAccount ${publishAccount} of enbi-system may. Its log says who it took the Job for: ${log}.`
    default:
      return error.mayPass
        ? `The image registry failed at ${what} (${answer}), also when it was tried again: check its storage, and read its log (${log}).`
        : `The image registry rejects ${what} (${answer}): read its log (${log}).`
  }
}

const pods = "kubectl get pods -n enbi-system"
const log = "kubectl logs -n enbi-system deployment/image-registry"
