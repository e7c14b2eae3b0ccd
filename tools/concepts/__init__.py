"""Pictures of docs/concepts, each computed by what it is about: ``python -m tools.concepts docs/concepts``."""
