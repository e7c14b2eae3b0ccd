"""The commands of the lab, one file each. A command raises `LabError` for what a person can put right."""
