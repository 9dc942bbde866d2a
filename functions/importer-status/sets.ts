/** The conditions that `importer-status` sets. */
export const sets = ["Success", "Complete", "Stalled"] as const
export type Sets = (typeof sets)[number]
