/** Where the functions run, and keep what belongs to no other namespace. */
export const systemNamespace = "enbi-system"
