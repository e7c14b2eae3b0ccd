"""`adamas explore`: optimizers on surfaces of two parameters, as one HTML file that needs no network.

| room | holds |
|---|---|
| `page` | the document: rules printed as JavaScript, and what it offers |
| `surfaces.js` | the surfaces: value, gradient, where to start |
| `descent.js` | a run of an optimizer; the best learning rate of one |
| `map.js`, `charts.js` | what is drawn |
| `controls.js` | chips, cards and sliders |
| `main.js` | the state of the page, and what follows from a change of it |
"""
