/** Files inside packages that the encoders import; tsconfig.json maps the two aliases to their paths. */

declare module "aac-encoder-wasm" {
  /** A CommonJS module: the import is either the function or an object that contains it. */
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
