import { batch, computed, type Signal, signal } from "@preact/signals"
import { loadModels } from "../api/models"
import { loadMessages, removeMessages, save } from "../conversations/database"
import { conversationOf, keep } from "../conversations/library"
import {
  leafWithout,
  type MessageMap,
  newestLeaf,
  pathTo,
  resultsAfter,
  titleFrom,
  withFollowers,
} from "../conversations/tree"
import type {
  AnswerFacts,
  Attachment,
  ChatSettings,
  StoredConversation,
  Message,
} from "../conversations/types"
import { stored } from "../lib/stored"
import { uniqueId } from "../lib/unique-id"
import { toast, toastError } from "../ui/toasts"
import { beginReading, readMessage, stopReading } from "../voice/reader"
import { readsAnswers, voiceInUse } from "../voice/voices"
import type { RunningAnswer } from "./answer"
import { toRequestBody } from "./request-body"
import { resultOf } from "./tools"

/** An answer is stored this often while it comes, so that closing the page loses little. */
const SAVE_MS = 1000

/** Answers in a row that only call tools. */
const MOST_ROUNDS = 8

const chosenModel = stored<string | undefined>("model", undefined, (value) => typeof value === "string")

/** A conversation that is shown, or whose answer is being written. */
export class ChatSession {
  readonly conversation: Signal<StoredConversation>
  readonly messages: Signal<MessageMap> = signal(new Map())
  readonly running: Signal<RunningAnswer | undefined> = signal(undefined)
  readonly isReady = signal(false)
  readonly path = computed(() => pathTo(this.messages.value, this.conversation.value.leaf))

  #isStarting = false

  constructor(conversation: StoredConversation) {
    this.conversation = signal(conversation)
  }

  get id(): string {
    return this.conversation.peek().id
  }

  async load(): Promise<void> {
    try {
      const messages = await loadMessages(this.id)
      this.messages.value = new Map(messages.map((each) => [each.id, each]))
    } catch (error) {
      toastError(error)
    }
    this.isReady.value = true
  }

  change(settings: Partial<ChatSettings>): void {
    if (settings.model !== undefined) chosenModel.value = settings.model
    this.replace({ ...this.conversation.peek().settings, ...settings })
  }

  replace(settings: ChatSettings): void {
    const changed = { ...this.conversation.peek(), settings }
    this.conversation.value = changed
    if (this.messages.peek().size > 0) keep(changed, [])
  }

  send(text: string, attachments: readonly Attachment[] = []): void {
    const message = this.#create("user", this.conversation.peek().leaf, text, {
      ...(attachments.length > 0 && { attachments }),
    })
    this.#put([message], message.id)
    void this.#answer(message.id)
  }

  /** Another answer in place of this one, which stays as another version. */
  again(message: Message): void {
    void this.#answer(message.parent)
  }

  /** Goes on where an answer ended. */
  continue(message: Message): void {
    void this.#answer(message.parent, message)
  }

  /** Asks something else in place of a message, which stays as another version. */
  resend(message: Message, text: string): void {
    const { attachments } = message
    const other = this.#create("user", message.parent, text, { ...(attachments && { attachments }) })
    this.#put([other], other.id)
    void this.#answer(other.id)
  }

  /** Changes a text, and keeps what follows it. */
  rewrite(message: Message, text: string): void {
    const { logprobs: _, ...answer } = message.answer ?? { model: "" }
    this.#put([{ ...message, text, ...(message.answer && { answer }) }])
  }

  /** Shows another version of a message. */
  select(version: Message): void {
    this.#put([], newestLeaf(this.messages.peek(), version.id))
  }

  /** Gives the result of a call that the page cannot make itself; when all are there, the model goes on. */
  giveResult(message: Message, callId: string, result: string): void {
    const leaf = this.conversation.peek().leaf ?? message.id
    const answer = this.#create("tool", leaf, result, { toolCallId: callId })
    this.#put([answer], answer.id)
    if (this.#openCalls(message).length === 0) void this.#answer(answer.id)
  }

  stop(): void {
    this.running.peek()?.stop()
    if (this.running.peek()?.message.id === readMessage.peek()) stopReading()
  }

  /** Removes a message and all that follows it; for a while that can be undone. */
  remove(message: Message, texts: { readonly removed: string; readonly undo: string }): void {
    if (this.running.peek() !== undefined) this.stop()
    const before = { messages: this.messages.peek(), conversation: this.conversation.peek() }
    const gone = withFollowers(before.messages, message.id)
    const rest = new Map(before.messages)
    for (const { id } of gone) rest.delete(id)
    const leaf = leafWithout(before.messages, message.id, before.conversation.leaf)
    batch(() => {
      this.messages.value = rest
      this.conversation.value = { ...before.conversation, leaf }
    })
    keep(this.conversation.peek(), [])
    removeMessages(gone.map(({ id }) => id)).catch(toastError)
    toast(texts.removed, {
      action: {
        label: texts.undo,
        run: () => {
          this.#put(gone, before.conversation.leaf)
        },
      },
    })
  }

  /** The calls of an answer that have no result yet. */
  #openCalls(message: Message) {
    const path = pathTo(this.messages.peek(), this.conversation.peek().leaf)
    const given = resultsAfter(path, path.find(({ id }) => id === message.id) ?? message)
    return (message.answer?.toolCalls ?? []).filter(({ id }) => !given.has(id))
  }

  async #answer(parent: string | undefined, continued?: Message): Promise<void> {
    let from = parent
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const answer = await this.#answerOnce(from, round === 0 ? continued : undefined)
      const calls = answer?.answer?.end === "tool_calls" ? (answer.answer.toolCalls ?? []) : []
      if (answer === undefined || calls.length === 0) return
      from = answer.id
      for (const call of calls) {
        const result = resultOf(call)
        if (result === undefined) continue
        const message = this.#create("tool", from, result, { toolCallId: call.id })
        this.#put([message], message.id)
        from = message.id
      }
      if (this.#openCalls(answer).length > 0) return
    }
  }

  async #answerOnce(
    parent: string | undefined,
    continued: Message | undefined,
  ): Promise<Message | undefined> {
    if (this.running.peek() !== undefined || this.#isStarting) return undefined
    this.#isStarting = true
    // Not a part of the page's first view, as Markdown is not.
    const loaded = await import("./answer").catch(toastError)
    this.#isStarting = false
    if (loaded === undefined) return undefined
    const { settings } = this.conversation.peek()
    const model = settings.model ?? ""
    const facts: AnswerFacts = { model }
    const message: Message = continued ?? this.#create("assistant", parent, "", { answer: facts })
    const reader =
      readsAnswers.peek() && voiceInUse.peek() !== undefined ? beginReading(message.id) : undefined
    const running = new loaded.RunningAnswer(
      { ...message, answer: facts },
      (text) => reader?.add(text),
      message.text,
    )
    batch(() => {
      this.#put([message], message.id)
      this.running.value = running
    })
    const timer = setInterval(() => save([], [running.soFar]).catch(() => {}), SAVE_MS)
    try {
      const path = pathTo(this.messages.peek(), message.id)
      const asked = continued === undefined ? path.slice(0, -1) : path
      const done = await running.run(toRequestBody(settings, asked, continued !== undefined))
      batch(() => {
        this.running.value = undefined
        this.#put([done])
      })
      return done
    } catch (error) {
      this.running.value = undefined
      toastError(error)
      return undefined
    } finally {
      clearInterval(timer)
      reader?.end()
      // Which models are loaded has changed.
      loadModels().catch(() => {})
    }
  }

  #create(
    role: Message["role"],
    parent: string | undefined,
    text: string,
    more: Partial<Message> = {},
  ): Message {
    return { id: uniqueId(), conversation: this.id, parent, role, text, createdAt: Date.now(), ...more }
  }

  #put(messages: readonly Message[], leaf = this.conversation.peek().leaf): void {
    const map = new Map(this.messages.peek())
    for (const message of messages) map.set(message.id, message)
    // It may have been renamed in the list.
    const known = conversationOf(this.id)
    const now = { ...this.conversation.peek(), ...(known !== undefined && { title: known.title }) }
    const first = messages.find(({ role }) => role === "user")
    const title = now.title === "" && first !== undefined ? titleFrom(first.text) : now.title
    batch(() => {
      this.messages.value = map
      this.conversation.value = { ...now, title, leaf, updatedAt: Date.now() }
    })
    keep(this.conversation.peek(), messages)
  }
}

/** Sessions that are shown or at work, by the ids of their conversations. */
const sessions = new Map<string, ChatSession>()

export function newSession(settings: Partial<ChatSettings> = {}): ChatSession {
  const now = Date.now()
  const model = chosenModel.peek()
  const session = new ChatSession({
    id: uniqueId(),
    title: "",
    createdAt: now,
    updatedAt: now,
    settings: { parameters: {}, ...(model !== undefined && { model }), ...settings },
    leaf: undefined,
  })
  session.isReady.value = true
  remember(session)
  return session
}

/** Undefined: there is no such conversation. */
export function openSession(id: string): ChatSession | undefined {
  const known = sessions.get(id)
  if (known !== undefined) return known
  const conversation = conversationOf(id)
  if (conversation === undefined) return undefined
  const session = new ChatSession(conversation)
  void session.load()
  remember(session)
  return session
}

export function closeSession(id: string): void {
  sessions.get(id)?.stop()
  sessions.delete(id)
}

const MOST_SESSIONS = 8

/** Forgets sessions that were not used for long, never one whose answer is being written. */
function remember(session: ChatSession): void {
  sessions.set(session.id, session)
  for (const [id, old] of sessions) {
    if (sessions.size <= MOST_SESSIONS) return
    if (old !== session && old.running.peek() === undefined) sessions.delete(id)
  }
}
