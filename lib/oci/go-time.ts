/**
 * Tells what Go reads as a time.
 * Rules: Go, package time, `Time.UnmarshalJSON`.
 */

// RFC 3339, with what Go takes beside it: an hour of one digit, and a comma before the fraction.
const time =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)T(?<hour>\d\d?):(?<minute>\d\d):(?<second>\d\d)(?:[.,]\d+)?(?:Z|[+-](?<zoneHour>\d\d):(?<zoneMinute>\d\d))$/u

/** Whether the text is one. */
export const isTime = (text: string): boolean => {
  const groups = time.exec(text)?.groups
  if (groups === undefined) return false
  const part = (name: string) => Number(groups[name] ?? 0)
  const leap = part("year") % 4 === 0 && (part("year") % 100 !== 0 || part("year") % 400 === 0)
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][part("month") - 1] ?? 0
  return (
    part("day") >= 1 &&
    part("day") <= days &&
    part("hour") <= 23 &&
    part("minute") <= 59 &&
    part("second") <= 59 &&
    part("zoneHour") <= 24 &&
    part("zoneMinute") <= 60
  )
}
