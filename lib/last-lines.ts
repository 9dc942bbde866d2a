/** The whole lines at the end of a text that fit into `maxLength` characters; of a single longer line its end. */
export const lastLines = (text: string, maxLength: number): string => {
  if (text.length <= maxLength) return text
  const tail = text.slice(-maxLength)
  const lineBreak = tail.indexOf("\n")
  return lineBreak < 0 || lineBreak === tail.length - 1 ? tail : tail.slice(lineBreak + 1)
}
