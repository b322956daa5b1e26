import { UsageError } from "../../errors/cli"
import { defineCommand } from "../args/command"
import { FILES_MARK, HIDDEN_COMMAND } from "../completion/completion-protocol"

export const command = defineCommand({
  name: "completion",
  summary: "Print a shell completion script",
  words: "SHELL",
  minimumWords: 1,
  maximumWords: 1,
  details: `SHELL is bash, zsh or fish. The script completes commands, flags, their values, and the names of the models on
disk.`,
  examples: [
    { line: "xllm completion bash >> ~/.bashrc", does: "for every new bash" },
    { line: "xllm completion zsh > ~/.zfunc/_xllm", does: "for zsh, if ~/.zfunc is in fpath" },
    { line: "xllm completion fish > ~/.config/fish/completions/xllm.fish", does: "for fish" },
  ],
  flags: {},
  async run({ words: [shell = ""], io }) {
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
    if (script === undefined) {
      throw new UsageError(`completion supports ${Object.keys(SCRIPTS).join(", ")}, got '${shell}'`)
    }
    io.write(script)
  },
})

/**
 * Also works in macOS's bash, which lacks mapfile and compopt. Bash splits words at colons, which model names
 * contain.
 */
const BASH = `_xllm() {
  local line=\${COMP_LINE:0:COMP_POINT} words current found prefix IFS=$' \\t\\n'
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]}-1]}
  prefix=\${current%"\${current##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r found; do
    if [[ $found == ${FILES_MARK} ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r found; do COMPREPLY+=("\${found#"$prefix"}"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("\${found#"$prefix"}")
    fi
  done < <("\${words[0]}" ${HIDDEN_COMMAND} "\${words[@]:1}" 2>/dev/null)
}
complete -F _xllm xllm
`

const ZSH = `#compdef xllm
_xllm() {
  local -a found
  found=("\${(@f)$("\${words[1]}" ${HIDDEN_COMMAND} "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${found[(Ie)${FILES_MARK}]} )); then
    found=("\${(@)found:#${FILES_MARK}}")
    _files
  fi
  compadd -- "\${(@)found:#}"
}
if [[ \${funcstack[1]} == _xllm ]]; then
  _xllm "$@"
else
  compdef _xllm xllm
fi
`

const FISH = `function __xllm_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] ${HIDDEN_COMMAND} $words[2..-1] 2>/dev/null)
    if contains -- ${FILES_MARK} $found
        __fish_complete_path (commandline -ct)
    end
    string match -v -- ${FILES_MARK} $found
end
complete -c xllm -f -a '(__xllm_complete)'
`

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }
