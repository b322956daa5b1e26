import { columns } from "../args/help"
import { parameterFlags, parameterName } from "../args/parameters"
import type { HelpTopic } from "./slash-command"

/** The text of `/?` and its pages. */
export function replHelp(topic: HelpTopic, terminal?: number): string {
  switch (topic) {
    case "commands":
      return `Available Commands:
${columns(
  [
    ["/set", "change how answers are made"],
    ["/show", "show what the model is and what was set"],
    ["/save NAME", "make a model of this conversation: its system message, parameters and messages"],
    ["/load MODEL", "go on with another model; the conversation starts anew"],
    ["/list [PREFIX]", "list the models"],
    ["/clear", "forget the conversation"],
    ["/bye, /exit", "leave"],
    ["/?, /help", "this help; also /? set, /? show, /? shortcuts"],
  ],
  terminal,
)}
Use """ to begin a message of several lines, and """ to end it.
`
    case "set":
      return `Available Commands:
${columns(
  [
    ["/set parameter NAME VALUE…", "how answers are made, see below"],
    ["/set system TEXT", 'the system message; """ begins one of several lines, no text removes it'],
    ["/set verbose", "show how long answers take"],
    ["/set quiet", "do not"],
    ["/set wordwrap", "break lines of answers between words"],
    ["/set nowordwrap", "do not"],
    ["/set history", "keep what is typed for the next time"],
    ["/set nohistory", "do not"],
  ],
  terminal,
)}
Parameters:
${columns(
  [
    ...Object.entries(parameterFlags).map(([key, { value, description }]): [string, string] => [
      `${parameterName(key)} ${value.placeholder}`,
      description,
    ]),
    ["num_ctx N", "context size in tokens; the model is loaded anew"],
  ],
  terminal,
)}`
    case "show":
      return `Available Commands:
${columns(
  [
    ["/show info", "what the model is"],
    ["/show license", "its licence"],
    ["/show template", "its chat template"],
    ["/show modelfile", "a Modelfile that makes the same model"],
    ["/show parameters", "the model's parameters, and those that were set"],
    ["/show system", "the system message that was set, or the model's"],
  ],
  terminal,
)}`
    case "shortcuts":
      return `Keyboard shortcuts:
${columns(
  [
    ["Ctrl + a, Ctrl + e", "to the beginning, the end of the line"],
    ["Alt + b, Alt + f", "one word back, forward"],
    ["Ctrl + k, Ctrl + u", "delete what is after, before the cursor"],
    ["Ctrl + w", "delete the word before the cursor"],
    ["Ctrl + y", "insert what was deleted last"],
    ["Ctrl + r", "search what was typed before; again: further back"],
    ["Ctrl + l", "clear the screen"],
    ["Ctrl + c", "stop the answer; drop the line"],
    ["Ctrl + z", "back to the shell; fg returns"],
    ["Ctrl + d", "leave"],
    ["Up, Down", "what was typed before"],
  ],
  terminal,
)}`
    default:
      return topic satisfies never
  }
}
