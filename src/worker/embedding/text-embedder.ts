import type { EmbeddingEvent } from "../../domain/embedding"
import type { TextModelSettings } from "../../domain/settings"
import { embeddingBytes } from "../../formats/embedding-memory"
import { EmbeddingContext } from "../../llama/embedding-context"
import type { FromWorker } from "../../protocol/messages"
import type { MemoryRequests } from "../text/growth/memory-requests"
import type { LoadedText } from "../text/load"
import type { MutableCounters } from "../text/output/step-outbox"
import { ContextHolder, type TextContext } from "./context-holder"
import { EmbedLoop } from "./embed-loop"
import { Embedder } from "./embedder"
import { textsPerDecode, waysOf } from "./load"
import { VectorOutbox } from "./outbox"
import { TextPreparer } from "./prepare"
import { shapeOf } from "./shape"
import type { Tokenizer } from "./tokenizer"

export interface TextEmbedderParts {
  readonly loaded: LoadedText
  /** The model's. */
  readonly name: string
  readonly tokenizer: Tokenizer
  readonly settings: TextModelSettings
  readonly memory: MemoryRequests
  readonly counters: MutableCounters
  /** Sets a context's threads. */
  readonly adopt: (context: TextContext) => void
  readonly send: (message: FromWorker<EmbeddingEvent>) => void
  readonly onWork: () => void
}

/** Embeds texts with a text model, in a second, small context that is made with the first text. */
export function textEmbedder(parts: TextEmbedderParts): Embedder {
  const { loaded, name, tokenizer, settings, memory } = parts
  const { model, threads, contexts } = loaded
  const outbox = new VectorOutbox(parts.send, parts.counters)
  const now = (): number => performance.now()
  const shape = shapeOf(model, settings)
  const holder = new ContextHolder({
    name,
    mostTokens: loaded.contextLength,
    footprintOf: loaded.footprintOf,
    create: (tokens) => {
      const sequences = textsPerDecode(model)
      const context = EmbeddingContext.create(model, {
        ...settings,
        tokens,
        sequences,
        ...waysOf(model, settings),
        threads: threads.prefill,
      })
      if (context !== undefined) contexts.adapt(context)
      return context
    },
    bytesOf: (tokens) => embeddingBytes(shape, tokens),
    ask: (extra) => memory.ask(extra, extra),
    changed: () => memory.remeasured(),
    adopt: parts.adopt,
    now,
  })
  return new Embedder({
    preparer: new TextPreparer({
      name,
      tokenizer,
      vocabulary: model.vocabulary,
      mostTokens: loaded.contextLength,
      dimensions: model.vectorLength,
      isPooled: waysOf(model, settings).pooling !== "none",
      pairs: undefined,
    }),
    loop: new EmbedLoop(holder, outbox, now),
    outbox,
    onWork: parts.onWork,
  })
}
