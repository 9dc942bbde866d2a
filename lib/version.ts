/** The tag that the manifests of `embedded/` and `examples/` ask for. */
export const version = "0.1.0"
