/** A chat format for models without a usable template. */
export interface FallbackTemplate {
  /** Common name of the format. */
  readonly name: string
  /** `general.architecture` of models trained with it; a trailing `*` matches any version. */
  readonly architectures: readonly string[]
  /** Its markers. If the vocabulary has no such tokens, the model sees them as plain text. */
  readonly markers: readonly string[]
  /** Jinja. System messages that it omits are merged into the first user message. */
  readonly source: string
}

const CHATML: FallbackTemplate = {
  name: "ChatML",
  // https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md
  architectures: ["qwen*"],
  markers: ["<|im_end|>", "<|im_start|>"],
  source:
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}" +
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
}

/**
 * In order of preference: if a vocabulary has the markers of two formats, the first is used. The layouts are
 * those of each family's own instruction-tuned models.
 */
const FORMATS: readonly FallbackTemplate[] = [
  {
    name: "Gemma's format",
    architectures: ["gemma*"],
    markers: ["<end_of_turn>", "<start_of_turn>"],
    source:
      "{% for message in messages %}{% if message.role != 'system' %}" +
      "<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}\n" +
      "{{ message.content }}<end_of_turn>\n{% endif %}{% endfor %}" +
      "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
  },
  {
    name: "Llama 3's format",
    architectures: ["llama*", "mllama"],
    markers: ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"],
    source:
      "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n" +
      "{{ message.content }}<|eot_id|>{% endfor %}" +
      "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
  },
  {
    name: "Phi's format",
    architectures: ["phi3", "phimoe"],
    markers: ["<|end|>", "<|user|>", "<|assistant|>"],
    source:
      "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}<|end|>\n{% endfor %}" +
      "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
  },
  {
    name: "DeepSeek's format",
    architectures: ["deepseek*"],
    markers: ["<｜User｜>", "<｜Assistant｜>"],
    source:
      "{% for message in messages %}{% if message.role == 'system' %}{{ message.content }}\n\n" +
      "{% elif message.role == 'assistant' %}<｜Assistant｜>{{ message.content }}{{ eos_token }}" +
      "{% else %}<｜User｜>{{ message.content }}{% endif %}{% endfor %}" +
      "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}",
  },
  {
    name: "Command R's format",
    architectures: ["command-r", "cohere2*"],
    markers: ["<|END_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|>"],
    source:
      "{% for message in messages %}<|START_OF_TURN_TOKEN|>" +
      "{{ {'assistant': '<|CHATBOT_TOKEN|>', 'system': '<|SYSTEM_TOKEN|>'}.get(message.role, '<|USER_TOKEN|>') }}" +
      "{{ message.content }}<|END_OF_TURN_TOKEN|>{% endfor %}" +
      "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}",
  },
  {
    name: "Granite's format",
    architectures: ["granite*"],
    markers: ["<|start_of_role|>", "<|end_of_role|>"],
    source:
      "{% for message in messages %}<|start_of_role|>{{ message.role }}<|end_of_role|>" +
      "{{ message.content }}{{ eos_token }}\n{% endfor %}" +
      "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}",
  },
  {
    name: "GLM's format",
    architectures: ["chatglm", "glm4*"],
    markers: ["<|user|>", "<|assistant|>"],
    source:
      "[gMASK]<sop>{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}{% endfor %}" +
      "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
  },
  CHATML,
  {
    // Llama 2 and Mistral; the markers are plain text or, in later Mistral vocabularies, tokens.
    name: "the [INST] format",
    architectures: ["llama", "mistral*"],
    markers: ["[INST]", "[/INST]"],
    source:
      "{% for message in messages %}{% if message.role == 'assistant' %} {{ message.content }}{{ eos_token }}" +
      "{% elif message.role != 'system' %}[INST] {{ message.content }} [/INST]{% endif %}{% endfor %}",
  },
]

/** The format chosen for a model. */
export interface ChosenFallback {
  readonly name: string
  readonly source: string
  /** Markers that the model may write as plain text: answers stop before them. */
  readonly stop: readonly string[]
  /** Whether the format matches the model's architecture or vocabulary. */
  readonly isKnown: boolean
}

/**
 * Chooses the format for a model without a usable template: one for its architecture whose markers are tokens
 * of the vocabulary; otherwise any whose markers are; otherwise that of its architecture, or ChatML, with the
 * markers as stop strings.
 * @param controlTexts texts of the vocabulary's control tokens
 */
export function chooseFallback(
  architecture: string | undefined,
  specialTokens: readonly string[],
): ChosenFallback {
  const tokens = new Set(specialTokens)
  const ofArchitecture = FORMATS.filter(({ architectures }) =>
    architectures.some((pattern) => matches(pattern, architecture)),
  )
  const hasTokens = ({ markers }: FallbackTemplate) => markers.every((marker) => tokens.has(marker))
  const known = ofArchitecture.find(hasTokens) ?? FORMATS.find(hasTokens) ?? ofArchitecture.at(-1)
  const { name, source, markers } = known ?? CHATML
  return {
    name,
    source,
    stop: markers.filter((marker) => !tokens.has(marker)),
    isKnown: known !== undefined,
  }
}

function matches(pattern: string, architecture: string | undefined): boolean {
  if (architecture === undefined) return false
  return pattern.endsWith("*") ? architecture.startsWith(pattern.slice(0, -1)) : architecture === pattern
}
