import { parse, tokenize } from "@huggingface/jinja"

/** @throws an Error that says why `source` is not a template of Jinja */
export function checkJinja(source: string): void {
  parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
}
