/**
 * Whether a fetch goes to an address that the namespace's builds are not allowed
 * to reach. A network that drops packets gives no error, so the fetch would only
 * take long and then fail. So the host, or the proxy if there is one, is looked
 * up first, and the failure says which closed range it is in and how to open it.
 */
import { Config, Effect } from "effect"
import { lookup } from "node:dns/promises"
import { rangeWith } from "../../lib/api/cidr.ts"
import { buildVariables } from "../../lib/nixbuild/job-contract.ts"
import { Failure } from "../../lib/nixbuild/job-result.ts"
import { causeOf, nixWords } from "./nix-error.ts"
import type { NixLog } from "./nix-log.ts"

/** Where all that is to be fetched from a URL goes to, and by whose name. */
export interface Closed {
  readonly closedCidrs: ReadonlyArray<string>
  readonly proxies: Proxies
}

export interface Proxies {
  readonly http: string
  readonly https: string
  /** The hosts that are reached without, by commas. */
  readonly none: string
}

const variable = (name: string) => Config.String(name).pipe(Config.withDefault(""))

export const proxiesConfig: Config.Config<Proxies> = Config.all({
  http: variable(buildVariables.httpProxy),
  https: variable(buildVariables.httpsProxy),
  none: variable(buildVariables.noProxy)
})

/** What is said of a URL whose host, or the proxy to it, has no address but such that are closed; undefined: it is open. */
export const closedWords = Effect.fnUntraced(function* ({ closedCidrs, proxies }: Closed, url: string) {
  const asked = closedCidrs.length === 0 ? undefined : askedFor(proxies, url)
  if (asked === undefined) return undefined
  const found = yield* Effect.tryPromise(() => lookup(asked.host, { all: true })).pipe(Effect.orElseSucceed(() => []))
  const first = allClosed(
    closedCidrs,
    found.map(({ address }) => address)
  )
  if (first === undefined) return undefined
  const who = asked.isProxy ? `the proxy ${asked.host}` : asked.host
  const is = first.address === asked.host ? "is" : `has the address ${first.address},`
  return `${who} ${is} in ${first.range}, to which builds of this namespace are not allowed to connect. The Namespace annotation enbi.hrzn.ee/build-egress=open allows everything; the setting BUILD_CLOSED_CIDRS lists what is closed`
})

/** The first of them with its range, if all are closed: with one that is open a connection may come about. */
export const allClosed = (closedCidrs: ReadonlyArray<string>, addresses: ReadonlyArray<string>) => {
  const closed = addresses.flatMap((address) => {
    const range = rangeWith(closedCidrs, address)
    return range === undefined ? [] : [{ address, range }]
  })
  return closed.length === addresses.length ? closed[0] : undefined
}

/** Fails where that is so of what a flake's URL names. */
export const mustBeOpen = Effect.fnUntraced(function* (closed: Closed, flakeUrl: string) {
  const words = yield* closedWords(closed, flakeUrl)
  if (words !== undefined) return yield* closedFailure(`The flake can't be fetched: ${words}.`, "")
})

const closedFailure = (message: string, log: string) => new Failure({ reason: "AddressClosed", message, log })

const archive = "Failed to open archive \\(§Source threw exception: \\u001b\\[31;1merror:\\u001b\\[0m "
// Who answers that it has no such thing was reached.
const fetchedFrom = nixWords(
  `^(?:(?:${archive})?unable to download|Failed to fetch git repository) '§(?<url>[^'\\u001b]+)\\u001b\\[0m'(?!: HTTP error)`
)
// Whatever says so: a remark for people, which decides nothing.
const anyUrl = /\bhttps?:\/\/[^\s'"<>]+/gu
const maxUrls = 5

/** A failure, with what is closed of all that it may have failed to reach. */
export const withClosed = Effect.fnUntraced(function* (closed: Closed, failure: Failure, log: NixLog) {
  if (failure.reason !== "FetchFailed") return failure
  const url = fetchedFrom.exec(causeOf(log.errors)?.raw ?? "")?.groups?.["url"]
  const words = url === undefined ? undefined : yield* closedWords(closed, url)
  if (words !== undefined) return closedFailure(`${url} can't be fetched: ${words}.`, failure.log)
  const others = new Set(log.tail.flatMap((line) => line.match(anyUrl) ?? []))
  const remarks = yield* Effect.forEach([...others].slice(0, maxUrls), (other) => closedWords(closed, other))
  const [remark] = remarks.flatMap((one) => one ?? [])
  if (remark === undefined) return failure
  const { message, reason } = failure
  return new Failure({ reason, message: `${message} Possible cause: ${remark}.`, log: failure.log })
})

const forges = new Map([
  ["github:", "github.com"],
  ["gitlab:", "gitlab.com"],
  ["sourcehut:", "git.sr.ht"]
])

/** Whose address it is that a fetch connects to. */
export const askedFor = (proxies: Proxies, flakeUrl: string): { host: string; isProxy: boolean } | undefined => {
  const parsed = URL.parse(flakeUrl.replace(/^(?:git|tarball)\+/u, ""))
  if (parsed === null) return undefined
  const forge = forges.get(parsed.protocol)
  const scheme = forge === undefined ? parsed.protocol : "https:"
  const host = forge === undefined ? parsed.hostname : (parsed.searchParams.get("host") ?? forge)
  const proxy = scheme === "https:" ? proxies.https : scheme === "http:" ? proxies.http : ""
  const isProxy = proxy !== "" && !isWithout(proxies.none, host)
  const name = (isProxy ? URL.parse(proxy)?.hostname : host) ?? ""
  return name === "" ? undefined : { host: name.replace(/^\[(.*)\]$/u, "$1"), isProxy }
}

// As curl reads it: a name, and all names below it.
const isWithout = (none: string, host: string): boolean =>
  none.split(",").some((entry) => {
    const name = entry.trim().replace(/^\*?\./u, "")
    return name === "*" || (name !== "" && (host === name || host.endsWith(`.${name}`)))
  })
