import type { ModelDetails, ModelKind, ModelSummary } from "../domain/model"
import type { Digest, Manifest } from "./managed/manifest"
import type { ModelName } from "./names"

/** Which models there are, for those who use them. */
export interface Catalog {
  /** Newest first. */
  list(): Promise<readonly ModelSummary[]>
  /**
   * The model of that name, in upper or lower case; without a name the only one of that kind (of any, where none is
   * given). A file that was dropped in comes
   * first, then an installed model, with `latest` where there is no tag. A tag `latest` may also stand behind a file's
   * name. A name that no model has may be an alias, which is resolved by the same rule.
   * @throws ModelNotFound, naming near misses; InvalidRequest where no name was given and several are known
   */
  resolve(name: string | undefined, kind?: ModelKind): Promise<ModelSummary>
  /** @throws ModelNotFound, ModelLoadFailed where the files are not what they should be */
  describe(name: string): Promise<ModelDetails>
}

/** Models on disk: those that were installed, and files that somebody put into the models folder. */
export interface Store extends Catalog {
  /** Every alias, in the order of the configuration. */
  aliases(): Promise<readonly AliasState[]>
  /** What a name stands for in the end that is an alias, and not a model's; whether that is there or not. */
  aliasTarget(name: string): Promise<string | undefined>

  /** Makes a file outside the models folder known under its file name without `.gguf`; returns its name. */
  add(path: string): Promise<ModelSummary>

  /** Of an installed model; `undefined` for one that was dropped in or added. @throws ModelNotFound */
  manifest(name: string): Promise<Manifest | undefined>
  /**
   * What any model consists of. Files that were dropped in or added are read to find their sums.
   * @throws ModelNotFound, and the file system's error where a file cannot be read
   */
  contents(name: string): Promise<ModelContents>
  /** What is installed under exactly that name, in whatever case; files that were dropped in do not count. */
  installedAs(name: ModelName): Promise<Occupant | undefined>
  /**
   * Makes blobs a model. What had that name is replaced: whoever looks sees the old model or the new one; blobs that
   * only the old one used are freed.
   * @throws BlobMissing where one of the manifest's files is not among the blobs; ModelExists where the name is taken by
   * what may not be replaced; StoreBusy
   */
  install(name: ModelName, manifest: Manifest, options?: InstallOptions): Promise<ModelSummary>
  /**
   * Takes a model off the disk: an installed one with the blobs that nobody else uses, or the file that was dropped in.
   * @param expectedId of the model that is meant: another one that has the name by now is not deleted
   * @throws ModelNotFound, StoreBusy; InvalidRequest for one whose files are outside the models folder
   */
  remove(name: string, expectedId?: string): Promise<RemovedModel>
  /**
   * Gives a model one more name, for which one that was dropped in is installed; replaces what had the name.
   * @throws ModelNotFound, InvalidModelFile, FileFailed, StoreBusy
   */
  copy(source: string, target: ModelName): Promise<ModelSummary>
  /**
   * Gives blobs up that were added for a model which does not come about: of those that were not there before, what no
   * model has, and nobody else is about to use, is freed. Never rejects.
   */
  abandon(digests: readonly Digest[]): Promise<void>
  /** What the system refuses in the models folder, as one of our errors with the path; other errors as they are. */
  explain(error: unknown): unknown
  /**
   * Removes what killed processes left behind, and blobs that no model has used for long. Nothing that somebody works
   * on or that can be resumed.
   */
  tidy(): Promise<void>
  readonly blobs: Blobs
}

/** Another name for a model. */
export interface AliasState {
  readonly alias: string
  /** What the configuration says that it stands for. */
  readonly target: string
  /** The model whose own name it is, so that it has no effect. */
  readonly hiddenBy: string | undefined
  /** The model that it stands for; `undefined`: that is not there. */
  readonly model: string | undefined
}

/** What has a name among installed models. `unreadable`: its manifest is damaged, or from a later version. */
export type Occupant = Manifest | "unreadable"

export interface InstallOptions {
  /**
   * Whether what has the name at that moment may be replaced; where it may not, the same model under it is a success.
   * Absent: it may, whatever it is.
   */
  readonly mayReplace?: (occupant: Occupant) => boolean
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
  /** The files or links that were deleted of one that was dropped in; absent: it was an installed one. */
  readonly paths?: readonly string[]
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
   * @throws FileFailed; InvalidModelFile for what is not a file, or changes meanwhile
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
