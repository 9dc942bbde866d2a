/** The sentences that are true of `about`. */
export const tell = (about: string, sentences: Readonly<Record<string, boolean>>): ReadonlyArray<string> =>
  Object.entries(sentences).flatMap(([sentence, isTrue]) => (isTrue ? [`${about} ${sentence}`] : []))
