import type { GenerationEvent, GenerationRequest } from "./chat"
import type { ImageEvent, ImageRequest } from "./image"
import type { SpeechEvent, SpeechRequest } from "./speech"
import type { TranscriptionEvent, TranscriptionRequest } from "./transcription"

export type MediaRequest = SpeechRequest | TranscriptionRequest | ImageRequest

/** Any request to a worker. */
export type WorkRequest = GenerationRequest | MediaRequest

export type MediaEvent = SpeechEvent | TranscriptionEvent | ImageEvent

/** Any event of a request. */
export type WorkEvent = GenerationEvent | MediaEvent
