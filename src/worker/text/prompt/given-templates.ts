import { InvalidRequest } from "../../../errors/request"
import { GoTemplateFault } from "../../../formats/go-template/fault"
import { translateGoTemplate } from "../../../formats/go-template/translate"
import { MODEL_TEXTS } from "../../../limits"
import { type ChatTemplate, type ChatTemplateOptions, compileGivenTemplate } from "../../../prompt/template"

/** A client sends the same one again and again. */
const REMEMBERED = 4

/** Compiles the templates of requests. Those used last are kept. */
export class GivenTemplates {
  readonly #options: ChatTemplateOptions
  /** By their sources, most recently used last. */
  readonly #compiled = new Map<string, ChatTemplate>()

  /** `options`: of the model's own template. */
  constructor(options: ChatTemplateOptions) {
    this.#options = options
  }

  /** @throws InvalidRequest where it is no Go template, or does not work */
  get(source: string): ChatTemplate {
    const template = this.#compiled.get(source) ?? compileGivenTemplate(translated(source), this.#options)
    this.#compiled.delete(source)
    this.#compiled.set(source, template)
    const [oldest] = this.#compiled.keys()
    if (this.#compiled.size > REMEMBERED && oldest !== undefined) this.#compiled.delete(oldest)
    return template
  }
}

function translated(source: string): string {
  try {
    const jinja = translateGoTemplate(source)
    const { maxLength } = MODEL_TEXTS.template
    if (jinja.length <= maxLength) return jinja
    throw new InvalidRequest(`template grows to more than ${maxLength} characters`, "template")
  } catch (error) {
    if (!(error instanceof GoTemplateFault)) throw error
    throw new InvalidRequest(`template, line ${error.line}: ${error.message}`, "template")
  }
}
