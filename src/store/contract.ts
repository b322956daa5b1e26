import type { ModelDetails, ModelKind, ModelSummary } from "../domain"
import type { Digest, Manifest } from "./manifest"
import type { ModelName } from "./names"

/** Which models there are, for those who use them. */
export interface Catalog {
  /** Newest first. */
  list(): Promise<readonly ModelSummary[]>
  /**
   * The model of that name; without a name the only one there is of that kind (of any, where none is given). A file that was dropped in comes first, by its exact
   * name; then installed models, in upper or lower case, with `latest` where there is no tag.
   * @throws ModelNotFound, naming near misses; InvalidRequest where no name was given and several are known
   */
  resolve(name: string | undefined, kind?: ModelKind): Promise<ModelSummary>
  /** @throws ModelNotFound, ModelLoadFailed where the files are not what they should be */
  describe(name: string): Promise<ModelDetails>
}

/** Models on disk: those that were installed, and files that somebody put into the models folder. */
export interface Store extends Catalog {
  /** Makes a file outside the models folder known under its file name without `.gguf`; returns its name. */
  add(path: string): Promise<ModelSummary>

  /** Of an installed model; `undefined` for one that was dropped in or added. @throws ModelNotFound */
  manifest(name: string): Promise<Manifest | undefined>
  /**
   * What any model consists of. Files that were dropped in or added are read to find their sums.
   * @throws ModelNotFound, and the file system's error where a file cannot be read
   */
  contents(name: string): Promise<ModelContents>
  /**
   * Makes blobs a model. What had that name is replaced: whoever looks sees the old model or the new one; blobs that
   * only the old one used are freed.
   * @throws BlobMissing where one of the manifest's files is not among the blobs; StoreBusy
   */
  install(name: ModelName, manifest: Manifest): Promise<ModelSummary>
  /**
   * Takes a model off the disk: an installed one with the blobs that nobody else uses, or the file that was dropped in.
   * @throws ModelNotFound, StoreBusy; InvalidRequest for one whose files are outside the models folder
   */
  remove(name: string): Promise<RemovedModel>
  /**
   * Gives an installed model one more name; replaces what had it.
   * @throws ModelNotFound, StoreBusy; Unsupported for a model that is not installed
   */
  copy(source: string, target: ModelName): Promise<ModelSummary>
  /**
   * Removes what killed processes left behind, and blobs that no model has used for long. Nothing that somebody works
   * on or that can be resumed.
   */
  tidy(): Promise<void>
  readonly blobs: Blobs
}

/** A model, and where its files are. */
export interface ModelContents {
  readonly name: string
  readonly manifest: Manifest
  pathOf(digest: Digest): string
}

/** What {@link Store.remove} did. */
export interface RemovedModel {
  readonly name: string
  readonly freedBytes: number
}

/** A file of installed models, named by its content. */
export interface Blob {
  readonly digest: Digest
  readonly sizeBytes: number
}

export interface AddFileOptions {
  /** Whether `path` is given away. */
  readonly move?: boolean
  /** The file will never change, so that a hard link may take the place of a copy where the file system has them. */
  readonly link?: boolean
  /** Where it is known to be true; absent: the file is read to find it. */
  readonly digest?: Digest
}

/**
 * Everything here may be used by several processes at a time. What is added is safe from others that free blobs until a
 * manifest with it is installed, or the process ends.
 */
export interface Blobs {
  /** Where a blob is, or would be. */
  pathOf(digest: Digest): string
  has(digest: Digest): Promise<boolean>
  /**
   * Moves or copies a finished file in; a copy shares its blocks where the file system can.
   * @throws the file system's error; InvalidModelFile for what is not a file, or changes meanwhile
   */
  addFile(path: string, options?: AddFileOptions): Promise<Blob>
  addBytes(bytes: Uint8Array): Promise<Blob>
  /**
   * A folder for files that are being made, on the file system of the blobs. It is gone at the end of the scope
   * (`await using`), and after the end of the process.
   */
  openWorkspace(): Promise<AsyncDisposable & { readonly path: string }>
  /**
   * Keeps blobs that are there, or come, from being freed before a manifest names them, as long as the scope lasts
   * (`await using`): while a download goes on, another process may remove the model that has them.
   */
  hold(digests: readonly Digest[]): Promise<AsyncDisposable>
  /** Folder for downloads that can be resumed. It need not exist. */
  readonly partialFolder: string
}
