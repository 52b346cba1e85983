"""Traffic replayed in virtual time under the real pool and attribution rules: "what if I had N numbers?"

Layers: trace, tally, numbers, scratch → virtual (the router's parts around one scratch store) → run → sweep.
Nothing here touches the configured store. May import what the router may.
"""
