import { type ComponentChildren, h } from "preact"
import { markdownTexts } from "../texts/markdown"
import { CodeBlock } from "./code-block"
import { Formula } from "./formula"
import type { Token } from "./parser"
import { safeImage, safeLink, visible } from "./safe-link"

/** A table with more cells than this is shown as text: browsers take long to lay one out. */
const MOST_CELLS = 4000

interface Frame {
  readonly children: ComponentChildren[]
  make(children: ComponentChildren[]): ComponentChildren
}

/** Elements for a flat run of tokens. Nothing in a text becomes HTML; what has no element is text. */
export function markdownElements(tokens: readonly Token[]): ComponentChildren {
  if (cellsIn(tokens) > MOST_CELLS) return <pre class="plain">{visible(plainText(tokens))}</pre>
  const root: Frame = { children: [], make: (children) => children }
  const stack = [root]
  const put = (child: ComponentChildren) => stack.at(-1)?.children.push(child)
  const close = () => {
    const frame = stack.pop()
    if (frame !== undefined) put(frame.make(frame.children))
  }
  for (const token of tokens) {
    if (token.nesting === -1) {
      if (stack.length > 1) close()
    } else if (token.nesting === 1) stack.push({ children: [], make: (children) => opened(token, children) })
    else put(leaf(token))
  }
  while (stack.length > 1) close()
  return root.children
}

const PLAIN_TAGS = new Set("strong em s ul ol li blockquote thead tbody tr th td".split(" "))

function opened(token: Token, children: ComponentChildren[]): ComponentChildren {
  switch (token.type) {
    case "paragraph_open":
      return token.hidden ? children : <p dir="auto">{children}</p>
    case "link_open":
      return <Link address={String(token.attrGet("href") ?? "")}>{children}</Link>
    case "table_open":
      return (
        <div class="table-box" tabIndex={0} role="region" aria-label={markdownTexts.value.table}>
          <table>{children}</table>
        </div>
      )
    case "ordered_list_open":
      return <ol start={Number(token.attrGet("start") ?? 1)}>{children}</ol>
    case "heading_open":
      // Below the page's title and the message's. A text may begin at any level, so they differ in looks only.
      return <h3 class={`level-${token.tag.slice(1)}`}>{children}</h3>
    case "th_open":
    case "td_open": {
      const align = /text-align:(\w+)/.exec(String(token.attrGet("style") ?? ""))?.[1]
      return h(token.tag, align === undefined ? null : { class: `align-${align}` }, children)
    }
    default:
      return PLAIN_TAGS.has(token.tag) ? h(token.tag, null, children) : children
  }
}

function leaf(token: Token): ComponentChildren {
  switch (token.type) {
    case "inline":
      return markdownElements(token.children ?? [])
    case "softbreak":
      return "\n"
    case "hardbreak":
      return <br />
    case "hr":
      return <hr />
    case "code_inline":
      return <code>{visible(token.content)}</code>
    case "fence":
    case "code_block":
      return (
        <CodeBlock
          language={token.info.trim().split(/\s/)[0] ?? ""}
          code={{ pieces: [], rest: token.content }}
          isOpen={false}
        />
      )
    case "math":
      return <Formula source={token.content} isDisplayed={token.markup === "block"} />
    case "image":
      return <Picture address={String(token.attrGet("src") ?? "")} text={token.content} />
    default:
      return visible(token.content)
  }
}

function Link({ address, children }: { readonly address: string; readonly children: ComponentChildren }) {
  const href = safeLink(address)
  if (href === undefined) {
    return (
      <span class="refused-link">
        {children} ({visible(address)})
      </span>
    )
  }
  return (
    <a href={href} title={visible(href)} target="_blank" rel="noopener noreferrer nofollow">
      <bdi>{children}</bdi>
    </a>
  )
}

function Picture({ address, text }: { readonly address: string; readonly text: string }) {
  const source = safeImage(address)
  if (source !== undefined) return <img src={source} alt={text} />
  return (
    <span class="refused-link">{`[${visible(text || markdownTexts.value.image)}: ${visible(address)}]`}</span>
  )
}

function cellsIn(tokens: readonly Token[]): number {
  if (tokens.length < MOST_CELLS) return 0
  return tokens.filter(({ type }) => type === "td_open").length
}

function plainText(tokens: readonly Token[]): string {
  return tokens
    .map((token) =>
      token.type === "inline"
        ? token.content
        : token.type === "tr_close"
          ? "\n"
          : token.type === "td_close"
            ? "\t"
            : "",
    )
    .join("")
}
