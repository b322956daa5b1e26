import { HERMES_TEMPLATE, OPEN_THINKING_TEMPLATE } from "../tool-templates"
import { type TinyModel, writeTinyModel } from "./tiny-model"
import { tinyVocabulary } from "./tiny-vocabulary"

/** With a vocabulary that has the pairs of letters below. */
const VOCABULARY = 600

/** The pairs of tokens that make a model write these, once it has come to the first. */
function chainOf(tokens: readonly string[]): [number, number][] {
  const { idOf } = tinyVocabulary({ size: VOCABULARY, fim: false })
  const ids = tokens.map(idOf)
  return ids.slice(1).map((id, index) => [ids[index] ?? 0, id])
}

/** A model that says "so" and then calls a tool, where there are some. */
export function writeCaller(path: string): TinyModel {
  return writeTinyModel(path, {
    chatTemplate: HERMES_TEMPLATE,
    vocab: VOCABULARY,
    chain: chainOf(["\n", "so", "<", "to", "ol", "_", "ca", "ll", ">"]),
  })
}

/** A model that thinks "Mu" and then says "Yes". */
export function writeThinker(path: string): TinyModel {
  return writeTinyModel(path, {
    chatTemplate: OPEN_THINKING_TEMPLATE,
    vocab: VOCABULARY,
    chain: chainOf([..."\nMu</think>", ..."Yes", "<|im_end|>"]),
  })
}
