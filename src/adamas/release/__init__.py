"""Gradient release: every parameter is stepped inside backward, as soon as its gradient is there, which is then freed.

| room | holds |
|---|---|
| `handle` | `Release`: hooks on the parameters, what `optimizer.step()` checks, `remove()` |
| `member` | one parameter: its launch, kept while nothing changes |
| `allocator` | gives freed gradients back to the system |
| `refusals` | what cannot work, said before or as soon as it shows |
"""

from adamas.release.handle import Release

__all__ = ["Release"]
