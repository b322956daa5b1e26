import { NoChoice, type RepositoryFile } from "./repository"

/** What a conversion reads beside the weights; a repository may have much else. */
const DESCRIPTIONS =
  /^(?:(?:config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template|modules|adapter_config)\.json|merges\.txt|vocab\.txt|tokenizer\.model|sentencepiece\.bpe\.model|[\w.-]+\.jinja|additional_chat_templates\/[\w.-]+\.jinja|README\.md|\d+_Pooling\/config\.json)$/

/** Weights by their usual names, the best first. A repository may have the same ones in several forms. */
const WEIGHTS: readonly RegExp[] = [
  /^model(?:-\d+-of-\d+)?\.safetensors(?:\.index\.json)?$/,
  /^adapter_model(?:-\d+-of-\d+)?\.safetensors(?:\.index\.json)?$/,
  /^model[\w.-]*\.safetensors(?:\.index\.json)?$/,
]

/**
 * The files that a conversion needs: the weights as safetensors, the tokenizer and the descriptions.
 * @throws NoChoice where a repository has no such weights
 */
export function chooseCheckpoint(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const isThere = (pattern: RegExp) => files.some(({ path }) => pattern.test(path))
  const weights = WEIGHTS.find(isThere)
  if (weights !== undefined)
    return files.filter(({ path }) => weights.test(path) || (DESCRIPTIONS.test(path) && !path.includes("..")))
  if (isThere(/\.gguf$/i))
    throw new NoChoice("it has GGUF files, which need no conversion: 'xllm pull' installs one", [])
  const pickle = files.find(({ path }) => /\.(?:bin|pt|pth|ckpt)$/i.test(path))
  throw new NoChoice(
    pickle === undefined
      ? "it has no weights in safetensors files"
      : `its weights are in '${pickle.path}', a pickle, which can run any code when it is read and so never is; look for a revision with safetensors files`,
    [],
  )
}
