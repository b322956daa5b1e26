import { Component } from "preact"
import { useMemo } from "preact/hooks"
import { blocksOf, type MarkdownBlock } from "./blocks"
import { CodeBlock } from "./code-block"
import { markdownElements } from "./elements"

/** Closed blocks are grouped, so that a long text is compared by groups while it grows. */
const GROUP = 64

interface BlockListProps {
  readonly closed: readonly MarkdownBlock[]
  readonly open?: MarkdownBlock | undefined
}

/** A growing text. */
export function BlockList({ closed, open }: BlockListProps) {
  const groups = []
  for (let start = 0; start < closed.length; start += GROUP) {
    groups.push(<Group key={start} blocks={closed.slice(start, start + GROUP)} />)
  }
  return (
    <div class="markdown">
      {groups}
      {open && <Block key={`open-${open.key}`} block={open} />}
    </div>
  )
}

/** A text that is whole. */
export function Markdown({ text }: { readonly text: string }) {
  return <BlockList closed={useMemo(() => blocksOf(text), [text])} />
}

interface GroupProps {
  readonly blocks: readonly MarkdownBlock[]
}

class Group extends Component<GroupProps> {
  override shouldComponentUpdate({ blocks }: GroupProps): boolean {
    const before = this.props.blocks
    return blocks.length !== before.length || blocks[0] !== before[0]
  }

  override render({ blocks }: GroupProps) {
    return (
      <div class="group">
        {blocks.map((block) => (
          <Block key={block.key} block={block} />
        ))}
      </div>
    )
  }
}

interface BlockProps {
  readonly block: MarkdownBlock
}

class Block extends Component<BlockProps> {
  override shouldComponentUpdate({ block }: BlockProps): boolean {
    return block !== this.props.block
  }

  override render({ block: { content } }: BlockProps) {
    if (content.type === "tokens") return <>{markdownElements(content.tokens)}</>
    return <CodeBlock language={content.language} code={content.code} isOpen={content.isOpen} />
  }
}
