import type { JsonRecord } from "../../lib/json"
import type { MetadataFields } from "../fields"
import type { HfConfig } from "../source/config"
import type { TensorValues } from "../tensors/values"

/** A tensor with its name. */
export interface NamedValues {
  readonly name: string
  readonly values: TensorValues
}

/** The kinds of tokenizers that a model's classes come with; the first whose files there are is taken. */
export type TokenizerKind = "sentencepiece" | "spm-json" | "bpe" | "wordpiece" | "unigram"

/** What conversion needs to know beside the configuration. */
export interface ConversionFacts {
  readonly config: HfConfig
  /** `general.architecture`, with which the names of keys begin. */
  readonly name: string
  /** Number of tokens that the tokenizer knows; beyond it, rows of embeddings are padding. */
  readonly tokens: number
  /** The number of the pooling, if the folder names one. */
  readonly pooling: number | undefined
  /** Ids of tokens by their texts. */
  tokenId(text: string): number | undefined
  /** A model that ranks texts, by its class or its name. */
  readonly isReranker: boolean
}

/** How the models of one or several classes of transformers become a GGUF, where it differs from all others. */
export interface TextArchitecture {
  /** As in config.json's `architectures`. */
  readonly classes: readonly string[]
  /** llama.cpp's name. */
  readonly name: string
  readonly tokenizers: readonly TokenizerKind[]
  /** TensorValues that config.json may lack: those of transformers' configuration class. */
  readonly defaults?: JsonRecord
  /** Names of tensors within a layer, or of others; these go before the common ones. */
  readonly names?: Readonly<Record<string, string>>
  /** The name of a tensor before it is looked up; `undefined`: it is left out. */
  rename?(name: string, config: HfConfig): string | undefined
  /** The tensors that one becomes. `name`: in the GGUF. */
  change?(tensor: NamedValues, facts: ConversionFacts): readonly NamedValues[]
  /** Tensors that are computed. They stand first. */
  extra?(config: HfConfig): readonly NamedValues[]
  /** Keys beside the common ones. */
  fields?(fields: MetadataFields, facts: ConversionFacts): void
  /** Keys of the tokenizer beside the common ones, set after them. */
  tokenizerFields?(fields: MetadataFields, facts: ConversionFacts): void
}
