"""`adamas bench`: step times of Adamas and its peers, paired in one run, beside the speed of memory.

| room | holds |
|---|---|
| `cases` | what is timed: P1, P2, P3, P4, P5, P6, P7, P9 as data, each with its bar |
| `contenders` | who is timed: one adapter per optimizer, found by import string, none required |
| `limits` | the copy and triad kernels that say how fast memory is |
| `worker` | the child process: one contender, its tensors and its clock |
| `child` | the parent's end of the pipe to one worker |
| `measure` | the A B A B schedule |
| `summary` | medians, ratios with their interval, GB/s, share of the limit, bars |
| `environment` | the machine and the versions a number belongs to |
| `table` | the table for a reader, the JSON for a program |
| `command` | the command line |
"""
