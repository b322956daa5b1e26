import type { ModelDetails, ModelSummary } from "../domain"

/** Models on disk. */
export interface Store {
  /** Newest first. */
  list(): Promise<readonly ModelSummary[]>
  /**
   * The model of that name; without a name the only one known.
   * @throws ModelNotFound, naming near misses; InvalidRequest where no name was given and several are known
   */
  resolve(name: string | undefined): Promise<ModelSummary>
  /** @throws ModelNotFound, ModelLoadFailed where the file is not a readable GGUF */
  describe(name: string): Promise<ModelDetails>
  /** Makes a file outside the models folder known under its file name without `.gguf`; returns its name. */
  add(path: string): Promise<ModelSummary>
}
