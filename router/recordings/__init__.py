"""Recordings after the call: repaired, merged, converted, kept for as long as is wanted. docs/recordings.md.

`wav` and `merging` know the format, `encoders` the programs, `finishing` what is done with one recording;
`worker` does it to one after another, `sweep` deletes what is old. `answer` says what became of one.
"""
