/** Parts of packages that these reach only by their path; tsconfig.json says where the two without one are. */

declare module "aac-encoder-wasm" {
  /** A CommonJS module: what is imported may be the function, or hold it. */
  const factory: (() => Promise<unknown>) & { readonly default?: () => Promise<unknown> }
  export default factory
}

declare module "flac-encoder-wasm" {
  const factory: (() => Promise<unknown>) & { readonly default?: () => Promise<unknown> }
  export default factory
}

declare module "@evan/opus/wasm/simd.wasm" {
  const path: string
  export default path
}
