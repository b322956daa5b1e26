"""What faster-whisper hears: faster-whisper.py MODEL FILE… prints a JSON object of texts by file. pip install faster-whisper"""
import json
import sys

from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type="float32")
texts = {}
for path in sys.argv[2:]:
    segments, _ = model.transcribe(path, beam_size=1, language="en")
    texts[path] = " ".join(segment.text.strip() for segment in segments)
print(json.dumps(texts))
