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
    ["/set", "change parameters and settings"],
    ["/show", "show what the model is and what was set"],
    ["/save NAME", "save this conversation as a model: system message, parameters and messages"],
    ["/load MODEL", "switch to another model, with a new conversation"],
    ["/list [PREFIX]", "list the models"],
    ["/image FILE", "show the model a picture with the next message; so do paths with ./, / or ~/ in it"],
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
    ["/set parameter NAME VALUE…", "sampling and other parameters, see below"],
    ["/set system TEXT", 'the system message; """ begins one of several lines, no text removes it'],
    ["/set verbose", "show timings of answers"],
    ["/set quiet", "do not show timings"],
    ["/set wordwrap", "wrap lines between words"],
    ["/set nowordwrap", "do not wrap lines"],
    ["/set format json|FILE", "answer with JSON, or with JSON of the schema in FILE"],
    ["/set noformat", "answer with any text"],
    ["/set think [LEVEL]", "let the model think before it answers, as much as LEVEL: low, medium, high …"],
    ["/set nothink", "answer without thinking"],
    ["/set history", "save the input history"],
    ["/set nohistory", "do not save it"],
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
    ["num_ctx N", "context size in tokens; reloads the model"],
  ],
  terminal,
)}`
    case "show":
      return `Available Commands:
${columns(
  [
    ["/show info", "what the model is"],
    ["/show license", "its license"],
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
    ["Ctrl + r", "search the history; again: further back"],
    ["Ctrl + l", "clear the screen"],
    ["Ctrl + c", "stop the answer; drop the line"],
    ["Ctrl + z", "back to the shell; fg returns"],
    ["Ctrl + d", "leave"],
    ["Up, Down", "previous input"],
  ],
  terminal,
)}`
    default:
      return topic satisfies never
  }
}
