/** Chat templates for tests, each in the style of a family of models. */

const OPEN_TURN = "{{ '<|im_start|>' + message.role + '\\n' }}"
const GENERATE = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/** Hermes and Qwen: JSON between tags that are plain text. */
export const HERMES_TEMPLATE =
  "{% if tools %}{{ '<|im_start|>system\\nTools:\\n' }}{% for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{% endfor %}" +
  "{{ '<|im_end|>\\n' }}{% endif %}" +
  "{% for message in messages %}" +
  OPEN_TURN +
  "{% if message.content %}{{ message.content }}{% endif %}" +
  "{% if message.tool_calls %}{% for call in message.tool_calls %}" +
  "{% if message.content or not loop.first %}{{ '\\n' }}{% endif %}" +
  '{{ \'<tool_call>\\n{"name": "\' + call.function.name + \'", "arguments": \' }}' +
  "{{ call.function.arguments | tojson }}{{ '}\\n</tool_call>' }}{% endfor %}{% endif %}" +
  "{{ '<|im_end|>\\n' }}{% endfor %}" +
  GENERATE

/** The control token of {@link MISTRAL_TEMPLATE}. */
export const MISTRAL_CONTROLS = ["[TOOL_CALLS]"]

/** Mistral: a JSON list after a control token, with ids of nine characters. */
export const MISTRAL_TEMPLATE =
  "{% if tools %}{{ '<|im_start|>system\\nTools: ' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}" +
  "{% for message in messages %}" +
  OPEN_TURN +
  "{% if message.tool_calls %}{{ '[TOOL_CALLS][' }}{% for call in message.tool_calls %}" +
  "{% if not loop.first %}{{ ', ' }}{% endif %}" +
  '{{ \'{"name": "\' + call.function.name + \'", "arguments": \' }}{{ call.function.arguments | tojson }}' +
  "{% if call.id | length != 9 %}{{ raise_exception('ids have 9 characters') }}{% endif %}" +
  "{{ ', \"id\": \"' + call.id + '\"}' }}{% endfor %}{{ ']' }}" +
  "{% else %}{{ message.content }}{% endif %}" +
  "{{ '<|im_end|>\\n' }}{% endfor %}" +
  GENERATE

/** Qwen3-Coder: every argument between tags of its own, strings as they are. */
export const TAGGED_TEMPLATE =
  "{% if tools %}{{ '<|im_start|>system\\nTools: ' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}" +
  "{% for message in messages %}" +
  OPEN_TURN +
  "{% if message.content %}{{ message.content }}{% endif %}" +
  "{% if message.tool_calls %}{% for call in message.tool_calls %}" +
  "{% if message.content or not loop.first %}{{ '\\n' }}{% endif %}" +
  "{{ '<tool_call>\\n<function=' + call.function.name + '>\\n' }}" +
  "{% for name, value in call.function.arguments | items %}{{ '<parameter=' + name + '>\\n' }}" +
  "{{ value if value is string else value | tojson }}{{ '\\n</parameter>\\n' }}{% endfor %}" +
  "{{ '</function>\\n</tool_call>' }}{% endfor %}{% endif %}" +
  "{{ '<|im_end|>\\n' }}{% endfor %}" +
  GENERATE

/** Qwen3: thinking, which the model begins itself, or which the prompt closes. */
export const THINKING_TEMPLATE =
  "{% if tools %}{{ '<|im_start|>system\\nTools: ' + (tools | tojson) + '<|im_end|>\\n' }}{% endif %}" +
  "{% for message in messages %}" +
  OPEN_TURN +
  "{% if message.reasoning_content %}{{ '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}" +
  "{% if message.content %}{{ message.content }}{% endif %}" +
  "{% if message.tool_calls %}{% for call in message.tool_calls %}" +
  "{% if message.content or not loop.first %}{{ '\\n' }}{% endif %}" +
  '{{ \'<tool_call>\\n{"name": "\' + call.function.name + \'", "arguments": \' }}' +
  "{{ call.function.arguments | tojson }}{{ '}\\n</tool_call>' }}{% endfor %}{% endif %}" +
  "{{ '<|im_end|>\\n' }}{% endfor %}" +
  GENERATE +
  "{% if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}" +
  "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"

/** The same, but the prompt opens the thinking. */
export const OPEN_THINKING_TEMPLATE =
  THINKING_TEMPLATE +
  "{% if add_generation_prompt and not (enable_thinking is defined and enable_thinking is false) %}" +
  "{{ '<think>\\n' }}{% endif %}"
