/** What a NixImage's condition Ready says of an image that is served: under which name. */

export const servedSentence = (name: string): string => `The registry serves ${name}.`

/** The name that such a sentence begins with. */
export const servedNameIn = (message: string): string | undefined =>
  /^The registry serves (\S+)\.(?= |$)/.exec(message)?.[1]
