/** The images that a NixImage had before: they can be had by digest for some time. */
import type { FormerDigest, NixImage, SystemStatus } from "../../lib/api/niximage.ts"
import { secondsAfter } from "../../lib/kubernetes/time.ts"

// Beyond these, the oldest go before their time.
const maxFormer = 32

interface Now {
  readonly time: string
  readonly keepSeconds: number
}

const isOver = ({ replacedTime }: FormerDigest, { keepSeconds, time }: Now): boolean =>
  secondsAfter(replacedTime, keepSeconds, replacedTime) <= time

/** Whether one of them has been kept long enough. */
export const hasOutlived = ({ status }: NixImage, now: Now): boolean =>
  status?.former?.some((one) => isOver(one, now)) === true

/** Those that are kept once its systems are so. */
export const formerAfter = (
  { status }: NixImage,
  systems: ReadonlyArray<SystemStatus>,
  now: Now
): ReadonlyArray<FormerDigest> => {
  const present = systems.map(({ digest }) => digest)
  const former = status?.former ?? []
  const replaced = (status?.systems ?? []).flatMap(({ digest }) =>
    digest === undefined || former.some((one) => one.digest === digest) ? [] : [{ digest, replacedTime: now.time }]
  )
  return [...former.filter((one) => !isOver(one, now)), ...replaced]
    .filter(({ digest }) => !present.includes(digest))
    .slice(-maxFormer)
}
