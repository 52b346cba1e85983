"""From journal events to finished call records: pure reducer, ingest service, `cdr.ndjson`.

Pure: facts, timeline, heard, talk, laying, legs, outcome, reducer, record, live (the unfinished calls).
Around them: ingest, enrich, ndjson. May import agi, pool, router.store and router.attribution.
"""
