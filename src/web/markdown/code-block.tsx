import { Component, type ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { copyText } from "../lib/copy"
import { commonTexts } from "../texts/common"
import { markdownTexts } from "../texts/markdown"
import { IconButton } from "../ui/button"
import { toast } from "../ui/toasts"
import type { CodeText } from "./blocks"
import { visible } from "./safe-link"

/** Longer code keeps one colour. */
const LONGEST_COLOURED = 50_000

interface CodeBlockProps {
  readonly language: string
  readonly code: CodeText
  readonly isOpen: boolean
}

/** Code with its language and a button to copy it. Colours come when it is whole and in sight. */
export function CodeBlock({ language, code, isOpen }: CodeBlockProps) {
  const box = useRef<HTMLDivElement>(null)
  const [colours, setColours] = useState<ComponentChildren>()
  const text = isOpen ? "" : code.pieces.join("") + code.rest
  useEffect(() => {
    if (isOpen || language === "" || text.length > LONGEST_COLOURED || box.current === null) return
    let isGone = false
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return
      observer.disconnect()
      import("./highlight").then(
        ({ coloured }) => {
          if (!isGone) setColours(coloured(text, language))
        },
        () => {},
      )
    })
    observer.observe(box.current)
    return () => {
      isGone = true
      observer.disconnect()
    }
  }, [isOpen, language, text])
  return (
    <div class="code-box" ref={box}>
      <div class="code-head">
        <span>{language === "" ? markdownTexts.value.code : visible(language.slice(0, 40))}</span>
        {!isOpen && (
          <IconButton icon="copy" label={markdownTexts.value.copyCode} onClick={() => void copyCode(text)} />
        )}
      </div>
      <pre tabIndex={0} aria-label={markdownTexts.value.code}>
        {colours !== undefined ? (
          <code>{colours}</code>
        ) : (
          <>
            {code.pieces.map((piece, index) => (
              <Piece key={index} text={piece} />
            ))}
            <code>{visible(code.rest)}</code>
          </>
        )}
      </pre>
    </div>
  )
}

/** A piece of long code; it never changes. */
class Piece extends Component<{ readonly text: string }> {
  override shouldComponentUpdate(): boolean {
    return false
  }

  override render({ text }: { readonly text: string }) {
    return <code class="piece">{visible(text)}</code>
  }
}

async function copyCode(text: string): Promise<void> {
  const isCopied = await copyText(text.replace(/\n$/, ""))
  toast(isCopied ? commonTexts.value.copied : commonTexts.value.copyFailed)
}
