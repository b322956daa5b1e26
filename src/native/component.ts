/** One file inside a packed component. */
export interface PackedFile {
  /** Relative to the component's folder; folders in it are divided by `/`. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Hex; checked once, when the file is extracted. */
  readonly sha256: string
  /**
   * XXH3 of 64 bits in hex; checked before every use. It finds damage, not malice (whoever can write to the cache
   * runs as the same user), and takes 20 ms for all libraries where SHA-256 takes 80.
   */
  readonly checksum: string
}

/** Native files that are embedded in the executable and extracted together. */
export interface Component {
  readonly name: "llama" | "vulkan" | "cuda" | "shim" | "speech" | "espeak" | "image" | "image-vulkan"
  /** Changes with the name and content of any file: the folder of the extracted files is named after it. */
  readonly hash: string
  /** The path of the archive: the files' bytes one after the other, in the order of `files`, compressed with zstd. */
  readonly archive: string
  readonly files: readonly PackedFile[]
}
