"""What is built for a release, and how it is checked: `make wheel`, `make sbom`."""
